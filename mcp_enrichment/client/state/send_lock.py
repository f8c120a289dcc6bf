"""A lock that tells whether the process that sends a POST is alive.

It is SQLite's lock on an empty file, which works on every operating system. The system releases it
when the process is killed; a process that is stopped (SIGSTOP) keeps it.
"""

from __future__ import annotations

import sqlite3
import sys
import time
import uuid
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

from mcp_enrichment.client.state.sqlite_file import inode_of, translate_sqlite_errors
from mcp_enrichment.file_locks import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STALE_SECONDS = 3600.0
"""Age at which any process removes the lock file of a killed process."""


class SendLock:
    """The lock of one client, from its first POST until it is closed.

    A sender is named after the lock and the number of the POST: the client itself knows which of
    its POSTs are under way. The methods raise `StorageFailed`: an error of SQLite would be taken
    for damage of the state file, in whose transactions they run. Only one thread may call `hold`
    and `close`.
    """

    def __init__(self, state_file: Path) -> None:
        self._state_file = state_file
        self._name = uuid.uuid4().hex
        self._file = _lock_file(state_file, self._name)
        self._held: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._numbers = count(1)
        self._sending: set[str] = set()

    @contextmanager
    def sender(self) -> Iterator[str]:
        """Yield the name of a sender, which is sending while the block runs."""
        name = f"{self._name}.{next(self._numbers)}"
        self._sending.add(name)
        try:
            yield name
        finally:
            self._sending.remove(name)

    @translate_sqlite_errors()
    def is_sending(self, sender: str) -> bool:
        """Whether this client, or another live one, is sending under this name."""
        name = sender.partition(".")[0]
        if name == self._name:
            return sender in self._sending
        return _is_held(_lock_file(self._state_file, name))

    @translate_sqlite_errors()
    def hold(self) -> None:
        """Take the lock, if it is not held or its file was removed or replaced."""
        if self._held is not None and self._inode == inode_of(self._file):
            return
        self.close()
        _remove_stale(self._state_file)
        self._held = _lock(self._file)
        self._inode = inode_of(self._file)

    def close(self) -> None:
        """Release the lock."""
        if self._held is not None:
            self._held.close()
            self._held = None
            _remove(self._file)


def _is_held(file: Path) -> bool:
    if not file.exists():
        return False
    if file.stat().st_size:
        _remove(file)  # ours is always empty: SQLite cannot lock another file
        return False
    try:
        lock = _lock(file)
    except sqlite3.OperationalError as error:
        if error_code(error) != sqlite3.SQLITE_BUSY:
            raise
        return True
    with closing(lock):
        _remove(file)  # before the unlock: its client may lock it again
    if sys.platform == "win32":  # an open file cannot be removed there
        _remove(file)
    return False


def _lock(file: Path) -> sqlite3.Connection:
    """Lock the file that is at the path, and is created there if need be."""
    while True:
        inode = inode_of(file)
        # The thread that closes it may be another one.
        db = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = OFF")  # else a second file appears
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            db.close()
            raise
        if inode == inode_of(file):
            return db
        db.close()  # the file is new, or was removed or replaced meanwhile


def _remove_stale(state_file: Path) -> None:
    for file in state_file.parent.glob(_lock_file(state_file, "*").name):
        with suppress(OSError, sqlite3.Error):
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                _is_held(file)


def _remove(file: Path) -> None:
    with suppress(OSError):  # on Windows another process may have it open
        file.unlink()


def _lock_file(state_file: Path, name: str) -> Path:
    return state_file.with_name(f"{state_file.name}.sending-{name}")
