"""Whether SQLite can work on the file system of a folder.

Some network and shared file systems refuse file locks, or let no memory be shared by mapping a
file. SQLite tells the first like a lock that another process holds (ENOLCK becomes SQLITE_BUSY),
or both like a failing disk (SQLITE_IOERR).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

LOCK_RETRY_SECONDS = 1.0
"""Seconds that a refused lock is asked for again: a busy NFS server may refuse one."""
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
"""What a lock on a file can end in that no other process knows."""


def is_unsupported(error: sqlite3.Error) -> bool:
    """Whether the file system lacks what SQLite asked it for."""
    return error.sqlite_errorcode in _UNSUPPORTED


def require_locks(folder: Path, *, wal: bool = False) -> None:
    """Raise `StorageFailed` where SQLite cannot lock files in this folder, or with `wal` cannot
    keep a write-ahead log there. What else may be wrong with the folder is not told.

    It tries a new file: to open and close one that SQLite holds would drop SQLite's locks on it.
    """
    try:
        with TemporaryDirectory(prefix="lock-test-", dir=folder, ignore_cleanup_errors=True) as own:
            _lock(Path(own) / "test.db", wal=wal)
    except sqlite3.Error as error:
        if error.sqlite_errorcode in _LOCK_ERRORS:
            raise StorageFailed(StorageFault.NO_LOCKS) from error
    except OSError:
        return  # who writes there next says why it cannot


def _lock(file: Path, *, wal: bool) -> None:
    with closing(sqlite3.connect(file, timeout=LOCK_RETRY_SECONDS, isolation_level=None)) as db:
        if wal:
            db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN EXCLUSIVE")
