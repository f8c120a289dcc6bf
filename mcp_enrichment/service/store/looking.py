"""Reading a database that stays as it is: nothing is made, migrated or given a key."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.file_locks import require_locks
from mcp_enrichment.secret_file import secret_in
from mcp_enrichment.service.store.database import BUSY_TIMEOUT, KEY_FILE, told_as_storage
from mcp_enrichment.service.store.migrate import require_head
from mcp_enrichment.service.store.subjects import Subjects, kept_key, require_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def look_into_sqlite(
    path: Path, work: Callable[[Connection], T], *, privacy_key: bytes | None = None
) -> T:
    """What `work` reads in the file, which must be there. Raises `StorageFailed` where
    `open_sqlite` would, and where that would migrate it."""
    if not os.access(path, os.W_OK):
        raise StorageFailed(StorageFault.NOT_WRITABLE)
    file = path.with_name(KEY_FILE)
    key = privacy_key or (secret_in(file) if file.exists() else b"")
    engine = create_engine("sqlite://", creator=partial(_connect, path), poolclass=NullPool)
    return _seen(engine, work, key)


def look_into_postgres(
    url: str, work: Callable[[Connection], T], *, privacy_key: bytes | None = None
) -> T:
    """What `work` reads there. Raises `StorageFailed` where `open_postgres` would."""
    from mcp_enrichment.service.store import postgres  # noqa: PLC0415 (of the extra)

    with postgres.reached_first():
        return _seen(postgres.engine_of(url), work, privacy_key)


def _seen(engine: Engine, work: Callable[[Connection], T], key: bytes | None) -> T:
    try:
        with told_as_storage(), engine.connect() as connection:
            require_head(connection)
            require_key(connection, Subjects(kept_key(connection) if key is None else key))
            return work(connection)
    finally:
        engine.dispose()


def _connect(path: Path) -> sqlite3.Connection:
    # Whoever has the file open keeps a log beside it. Where there is none, SQLite would leave one.
    is_open = path.with_name(f"{path.name}-wal").exists()
    if is_open:
        require_locks(path.resolve().parent)
    how = "mode=ro" if is_open else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_TIMEOUT)
