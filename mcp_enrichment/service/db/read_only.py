"""Reads a database without changing it: nothing is created, migrated or bound to a key."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.credentials.secret_file import read_or_create_secret
from mcp_enrichment.file_locks import require_locks
from mcp_enrichment.service.db.database import BUSY_TIMEOUT
from mcp_enrichment.service.db.errors import translate_db_errors
from mcp_enrichment.service.db.migrate import require_head
from mcp_enrichment.service.db.schema import metadata
from mcp_enrichment.service.db.sqlite import KEY_FILE
from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms, require_key, stored_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def read_sqlite(
    path: Path, work: Callable[[Connection], T], *, privacy_key: bytes | None = None
) -> T:
    """Run `work` on the file, which must exist, and return its result. Raises `StorageFailed` if
    `open_sqlite` would raise it or would migrate the file, and if a table or a column is
    missing."""
    if not os.access(path, os.W_OK):
        raise StorageFailed(StorageFault.NOT_WRITABLE)
    file = path.with_name(KEY_FILE)
    key = privacy_key or (read_or_create_secret(file) if file.exists() else b"")
    engine = create_engine("sqlite://", creator=partial(_connect, path), poolclass=NullPool)

    def read_whole(connection: Connection) -> T:
        _require_every_column(connection)
        return work(connection)

    return _read(engine, read_whole, key)


def read_postgres(
    url: str, work: Callable[[Connection], T], *, privacy_key: bytes | None = None
) -> T:
    """Run `work` on the database and return its result. Raises `StorageFailed` if `open_postgres`
    would."""
    from mcp_enrichment.service.db import postgres  # noqa: PLC0415 (of the extra)

    with postgres.unreachable_as_not_found():
        return _read(postgres.engine_of(url), work, privacy_key)


def _read(engine: Engine, work: Callable[[Connection], T], key: bytes | None) -> T:
    try:
        with translate_db_errors(), engine.connect() as connection:
            require_head(connection)
            require_key(connection, Pseudonyms(stored_key(connection) if key is None else key))
            return work(connection)
    finally:
        engine.dispose()


def _require_every_column(connection: Connection) -> None:
    tables = inspect(connection).get_multi_columns()
    present = {(name, each["name"]) for (_, name), columns in tables.items() for each in columns}
    if not present.issuperset((c.table.name, c.name) for t in metadata.sorted_tables for c in t.c):
        raise StorageFailed(StorageFault.NOT_A_DATABASE)


def _connect(path: Path) -> sqlite3.Connection:
    # A process that has the file open has a WAL file beside it. Without one SQLite would create it.
    is_open = path.with_name(f"{path.name}-wal").exists()
    if is_open:
        require_locks(path.resolve().parent)
    how = "mode=ro" if is_open else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_TIMEOUT)
