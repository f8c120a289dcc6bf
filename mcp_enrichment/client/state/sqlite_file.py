"""The memory's SQLite file: short transactions, and what may be wrong with it."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from mcp_enrichment.client.state import pending_posts
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.file_locks import is_unsupported, require_locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the file's schema (`PRAGMA user_version`)."""
BUSY_TIMEOUT = 10.0
"""Seconds that one process waits for another's transaction."""

_SCHEMA = """
CREATE TABLE asked (
    dedup_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    reference TEXT,
    state TEXT NOT NULL,
    enrichment_id TEXT,
    status TEXT,
    asked_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE INDEX asked_by_id ON asked (enrichment_id);
CREATE INDEX asked_by_age ON asked (account, asked_at);
CREATE TABLE honours_keys (account TEXT PRIMARY KEY) STRICT;
CREATE TABLE durations (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, seconds REAL NOT NULL
) STRICT;
CREATE INDEX durations_by_account ON durations (account, id);
CREATE TABLE spending (
    key TEXT PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE INDEX spending_by_day ON spending (account, at);
"""
_PRIMARY_CODE = 0xFF  # the low byte of SQLite's extended result codes
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_FAULTS = {
    sqlite3.SQLITE_FULL: StorageFault.FULL,
    sqlite3.SQLITE_IOERR: StorageFault.FULL,
    sqlite3.SQLITE_BUSY: StorageFault.BUSY,
    sqlite3.SQLITE_LOCKED: StorageFault.BUSY,
}


class SQLiteFile:
    """Shared by all processes of a user. One that dies leaves nothing half-done in it.

    Each transaction opens the file and closes it again, alone in all processes meanwhile: a file
    that is renamed while somebody has it open takes its journal from under the one that follows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")
        self._is_lockable = False
        self._queue = anyio.CapacityLimiter(1)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, run in one transaction. Raises `StorageFailed`."""
        # Abandoned, not awaited, when cancelled: no lock of another process outlasts a deadline.
        return await anyio.to_thread.run_sync(
            self._alone, work, limiter=self._queue, abandon_on_cancel=True
        )

    def _alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translate_sqlite_errors():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_locks()
            if self._lock.exists() and self._lock.stat().st_size:
                self._lock.unlink()  # ours stays empty; what else lies there cannot be locked
            with closing(_connect(self._lock)) as lock:
                lock.execute("BEGIN EXCLUSIVE")
                return self._in_a_whole_file(work)

    def _require_locks(self) -> None:
        if not self._is_lockable:
            require_locks(self._path.parent)
            self._is_lockable = True

    def _in_a_whole_file(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return _in_transaction(self._path, work)
        except _Newer:
            self._set_aside("newer", "is of a newer version of mcp-enrichment")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE not in _BROKEN:
                raise
            self._set_aside("broken", "was unreadable")
        return _in_transaction(self._path, work)

    def _set_aside(self, why: str, told: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.{why}-{time.time_ns()}")
        self._path.rename(aside)
        self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
        logger.warning(
            "the memory of past requests %s; it was renamed %s, and what it held may be paid for "
            "again",
            told,
            aside.name,
        )


def is_usable(path: Path) -> bool:
    """Whether the file that is there is whole, and of a version that is known: one that is not, its
    next use sets aside. It is only read. Raises `StorageFailed`."""
    require_locks(path.parent)
    with translate_sqlite_errors(), closing(_connect_to_read(path)) as db:
        try:
            whole: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE in _BROKEN:
                return False
            raise
    return whole == "ok" and version <= VERSION


class _Newer(Exception):
    """The file's schema is one that only a newer version of the program knows."""


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise StorageFailed(StorageFault.NOT_WRITABLE)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)


def _in_transaction(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    with closing(_connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        _prepare(db)
        result = work(db)
        db.execute("COMMIT")
        return result  # where anything raises, closing rolls back


def _prepare(db: sqlite3.Connection) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise _Newer
    if version < VERSION:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute(pending_posts.SCHEMA)


@contextmanager
def translate_sqlite_errors() -> Iterator[None]:
    """Tells what SQLite and the file system raise as `StorageFailed`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageFailed(_fault(error)) from error
    except OSError as error:
        raise StorageFailed(StorageFault.NOT_WRITABLE) from error


def _fault(error: sqlite3.DatabaseError) -> StorageFault:
    if is_unsupported(error):
        return StorageFault.NO_LOCKS
    return _FAULTS.get(error.sqlite_errorcode & _PRIMARY_CODE, StorageFault.NOT_WRITABLE)
