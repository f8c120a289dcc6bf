"""The database in a SQLite file: opened, migrated and configured."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.credentials.secret_file import read_or_create_secret
from mcp_enrichment.file_locks import require_locks
from mcp_enrichment.service.db.database import BUSY_TIMEOUT, READERS, Database, run_write
from mcp_enrichment.service.db.errors import is_busy, translate_db_errors
from mcp_enrichment.service.db.inline_reader import InlineReader
from mcp_enrichment.service.db.migrate import upgrade
from mcp_enrichment.service.db.sqlite_threads import SQLiteThreads
from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms, is_bound, pin_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUSY_PAUSE = 0.01
_CURSORS = "cursors"
"""The key of the cursors of a connection's transaction."""
KEY_FILE = "privacy.key"
"""The file beside the database with the key of its pseudonyms, if none is configured."""


def open_sqlite(path: Path, *, privacy_key: bytes | None = None) -> Database:
    """Open the file, created and migrated where needed.

    `privacy_key`: of the suppression list; None for the one in the file beside it. Raises
    `StorageFailed` if the folder cannot be written, its file system supports no locks, the file
    is no database, a newer version of the program has written it, or its suppression list was made
    with another key.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_locks(path.resolve().parent)
        path.touch(mode=0o600)  # it holds names, addresses and secrets
    except OSError as error:
        raise StorageFailed(StorageFault.NOT_WRITABLE) from error
    engine = _sqlite_engine(path)
    try:
        pseudonyms = run_write(
            engine, partial(_migrate_and_pin_key, path=path, privacy_key=privacy_key)
        )
        data_version = DataVersion(path)
        event.listen(engine, "engine_disposed", lambda _engine: data_version.close())
        with translate_db_errors():
            # The writer's, the first reader's and the event loop's, while the path is this very
            # file.
            with engine.connect(), engine.connect(), engine.connect():
                pass
            inline_reader = InlineReader(engine)
        writes = engine.execution_options(writes=True)
        return Database(
            engine,
            pseudonyms,
            inline_reader=inline_reader,
            reader_threads=SQLiteThreads(engine, threads=READERS),
            writer_thread=SQLiteThreads(writes, threads=1, groups=True),
            is_in_place=_same_file_check(path),
            data_version=data_version,
        )
    except BaseException:
        engine.dispose()
        raise


class DataVersion:
    """SQLite's `PRAGMA data_version`, on a connection of its own that is kept open."""

    def __init__(self, path: Path) -> None:
        """Open the file, which must exist. Raises `StorageFailed`."""
        with translate_db_errors():
            self._connection = sqlite3.connect(
                path,
                timeout=0,  # no read waits for a lock
                isolation_level=None,
                check_same_thread=False,
            )
        # A connection that is closed during its statement crashes the process.
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """A number that changes with each commit of any other connection, in any process.

        It may be called from any thread. Raises `StorageFailed`.
        """
        with translate_db_errors(), self._lock:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the connection. Each later call raises `sqlite3.ProgrammingError`."""
        with self._lock:
            self._connection.close()


def _migrate_and_pin_key(
    connection: Connection, *, path: Path, privacy_key: bytes | None
) -> Pseudonyms:
    upgrade(connection)
    key_file = path.with_name(KEY_FILE)
    if privacy_key is None and not key_file.exists() and is_bound(connection):
        raise StorageFailed(StorageFault.OTHER_KEY)  # a new key would be taken for the lost one
    pseudonyms = Pseudonyms(privacy_key or read_or_create_secret(key_file))
    pin_key(connection, pseudonyms)
    return pseudonyms


def _same_file_check(path: Path) -> Callable[[], bool]:
    """A check whether the path still refers to the open file.

    SQLite goes on in a file that was deleted or replaced as if nothing had happened, and whatever
    is written to it is lost when the process ends.
    """
    opened = path.stat()

    def same() -> bool:
        try:
            return os.path.samestat(opened, path.stat())
        except OSError:
            return False

    return same


def _sqlite_engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        hide_parameters=True,  # they hold names and addresses, and errors are logged
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "after_cursor_execute", _note_cursor)
    for end in ("commit", "rollback"):
        event.listen(engine, end, _close_cursors)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # None leaves BEGIN to `_begin_sqlite`: the driver's own comes too late.
    connection.isolation_level = None
    _use_wal(connection)
    # FAST overwrites deleted content only in pages that are written anyway.
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=FAST"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait where that could be a deadlock, as when two processes switch a new file
    # at once: so a busy error is retried here.
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(BUSY_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins with a read fails at its first write if another one wrote.
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection
    if options.get("begins", True):
        driver.execute("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")
    connection.info[_CURSORS] = WeakSet()


def _note_cursor(connection: Connection, cursor: sqlite3.Cursor, *_: object) -> None:
    connection.info[_CURSORS].add(cursor)


def _close_cursors(connection: Connection) -> None:
    # A cursor that is not read to its end keeps the snapshot of its transaction. The next
    # transaction of this connection would read that old snapshot.
    for cursor in connection.info.pop(_CURSORS, ()):
        cursor.close()
