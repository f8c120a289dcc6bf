"""Checks whether SQLite works on the file system of a folder.

Some network and shared file systems support neither file locks nor shared memory maps. SQLite
reports missing locks like a lock of another process (ENOLCK becomes SQLITE_BUSY), or both like a
failing disk (SQLITE_IOERR).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

LOCK_RETRY_SECONDS = 1.0
"""Seconds for which a refused lock is retried: a busy NFS server may refuse one."""
_UNSUPPORTED = {
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
}
_LOCK_ERRORS = _UNSUPPORTED | {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PERM}
"""The errors of locking a file that no other process uses."""


def error_code(error: sqlite3.Error) -> int:
    """SQLite's extended result code; 0 if Python has raised the error."""
    return getattr(error, "sqlite_errorcode", 0)


def is_unsupported(error: sqlite3.Error) -> bool:
    """Whether the error means that the file system lacks a feature."""
    return error_code(error) in _UNSUPPORTED


def require_locks(folder: Path, *, wal: bool = False) -> None:
    """Raise `StorageFailed` if SQLite cannot lock files in this folder or, with `wal`, cannot use a
    write-ahead log there. Other problems of the folder are ignored.

    It tries a new file: opening and closing one that SQLite has open would drop SQLite's locks.
    """
    try:
        with TemporaryDirectory(prefix="lock-test-", dir=folder, ignore_cleanup_errors=True) as own:
            _lock(Path(own) / "test.db", wal=wal)
    except sqlite3.Error as error:
        if error_code(error) in _LOCK_ERRORS:
            raise StorageFailed(StorageFault.NO_LOCKS) from error
    except OSError:
        return  # the next write reports the reason


def _lock(file: Path, *, wal: bool) -> None:
    with closing(sqlite3.connect(file, timeout=LOCK_RETRY_SECONDS, isolation_level=None)) as db:
        if wal:
            db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN EXCLUSIVE")
