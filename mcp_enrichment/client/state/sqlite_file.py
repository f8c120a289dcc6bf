"""A SQLite file that the processes of one user share."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.file_locks import error_code, is_unsupported, require_locks
from mcp_enrichment.owner_file import create_for_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
    from pathlib import Path

P = ParamSpec("P")
S = TypeVar("S", bound="SQLiteStore")
T = TypeVar("T")

logger = logging.getLogger(__name__)

BUSY_TIMEOUT = 10.0
"""Seconds that one process waits for another's transaction."""

_PRIMARY_CODE = 0xFF  # the low byte of SQLite's extended result codes
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_FAULTS = {
    sqlite3.SQLITE_FULL: StorageFault.FULL,
    sqlite3.SQLITE_IOERR: StorageFault.FULL,
    sqlite3.SQLITE_BUSY: StorageFault.BUSY,
    sqlite3.SQLITE_LOCKED: StorageFault.BUSY,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The tables of a file."""

    version: int
    """Saved in the file as `PRAGMA user_version`."""
    tables: str
    """SQL statements."""
    contains: str
    """For the log: what the file holds."""
    if_lost: str
    """For the log: the consequence of a lost file."""
    upgrades: Mapping[int, str] = field(default_factory=dict)
    """The SQL statements that bring a file of an earlier version to this one."""


class _Call(NamedTuple):
    """A transaction, and the future of its result."""

    work: Callable[[sqlite3.Connection], Any]
    done: Future[Any]
    loop: asyncio.AbstractEventLoop


class SQLiteFile:
    """Runs short transactions in a file that several processes use. A crash loses none of them.

    Two connections stay open: a thread writes by one, and the event loop reads by the other. Calls
    that wait for the thread at the same time share one commit. A file that is damaged, or of
    another version, is renamed, and a new one is created. Each transaction therefore begins by
    checking that its file is still the one at the path.
    """

    def __init__(self, path: Path, schema: Schema, *, busy_timeout: float | None = None) -> None:
        self._path = path
        self._schema = schema
        self._busy_timeout = busy_timeout
        self._is_lockable = False
        self._writer = _Connection(path, schema)
        self._reader = _Connection(path, schema)
        self._waiting: deque[_Call] = deque()
        self._last_started: Future[Any] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=path.name)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction; return its result once that is committed.

        `work` changes nothing but the file: it runs again if another call of its group fails.
        Raises `StorageFailed`.
        """
        # A cancelled call does not wait for the thread, which another process may hold up.
        self._last_started = done = Future[T]()
        loop = asyncio.get_running_loop()
        self._waiting.append(_Call(work, done, loop))
        # In the loop's next turn: calls of all tasks that are ready now share a commit.
        loop.call_soon(self._thread.submit, self._write_waiting)
        return await asyncio.wrap_future(done)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which changes nothing, in one transaction. Raises `StorageFailed`.

        It runs in this thread: the file is small, and a change of threads takes longer than a read.
        If the file is locked, has a fault, or is being written by this process, the other thread
        reads it in its turn.
        """
        if self._last_started is None or self._last_started.done():
            try:
                return self._reader.run(work, "DEFERRED", timeout=0)
            except BaseException as error:
                self._reader.close()
                if not isinstance(error, sqlite3.Error | OSError | _OtherVersion):
                    raise
        return await self.run(work)

    def close(self, *, then: Callable[[], object] = lambda: None) -> None:
        """Close the connections, after the transactions that were started. `then` is called last,
        in the thread of the transactions."""
        self._reader.close()
        self._thread.submit(self._write_waiting)
        self._thread.submit(self._writer.close)
        self._thread.submit(then)

    def _write_waiting(self) -> None:
        """Run all calls that wait, in one transaction."""
        group = []
        while self._waiting:
            call = self._waiting.popleft()
            if call.done.set_running_or_notify_cancel():
                group.append(call)
        if group:
            self._write_group(group)

    def _write_group(self, group: Sequence[_Call]) -> None:
        is_in_call = False

        def run_all(db: sqlite3.Connection) -> Sequence[Any]:
            nonlocal is_in_call
            is_in_call = True
            results = [call.work(db) for call in group]
            is_in_call = False
            return results

        try:
            results = self._write(run_all)
        except BaseException as error:  # noqa: BLE001 (raised again in each caller)
            # The lock of another process is waited for once, not for each call.
            is_busy = isinstance(error, StorageFailed) and error.fault is StorageFault.BUSY
            if len(group) > 1 and (is_in_call or not is_busy):
                for call in group:  # only the one that fails gets its error
                    self._write_group([call])
                return
            for call in group:
                call.done.set_exception(error)
        else:
            _report(group, results)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        timeout = self._busy_timeout or BUSY_TIMEOUT
        try:
            with translate_sqlite_errors():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not self._is_lockable:
                    require_locks(self._path.parent)
                    self._is_lockable = True
                try:
                    return self._writer.run(work, "IMMEDIATE", timeout=timeout)
                except _OtherVersion:
                    self._set_aside("other", "is of another version of mcp-enrichment")
                except sqlite3.DatabaseError as error:
                    if error_code(error) & _PRIMARY_CODE not in _BROKEN:
                        raise
                    self._set_aside("broken", "was unreadable")
                self._writer.close()
                return self._writer.run(work, "IMMEDIATE", timeout=timeout)
        except BaseException:
            self._writer.close()  # this rolls back
            raise

    def _set_aside(self, suffix: str, reason: str) -> None:
        """Rename the file of the writer, unless another process has done so.

        SQLite cannot lock a damaged file, so this is done under a lock on a second file. The file
        stays locked too, if it can be: no other process writes to it. What we have written is
        rolled back first: later this would delete the journal of a new file.
        """
        aside = self._path.with_name(f"{self._path.name}.{suffix}-{time.time_ns()}")
        with closing(_connect(self._lock_file(), self._busy_timeout or BUSY_TIMEOUT)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            self._writer.roll_back()
            if not self._writer.is_current():
                return
            if sys.platform == "win32":  # an open file cannot be renamed there
                self._writer.close()
                self._reader.close()
            self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
            self._path.rename(aside)
        logger.warning(
            "%s %s; it was renamed %s, and %s",
            self._schema.contains,
            reason,
            aside.name,
            self._schema.if_lost,
        )

    def _lock_file(self) -> Path:
        file = self._path.with_name(f"{self._path.name}.lock")
        if file.exists() and file.stat().st_size:
            file.unlink()  # ours is always empty: SQLite cannot lock another file
        return file


def _report(group: Sequence[_Call], results: Sequence[Any]) -> None:
    """Give all calls of an event loop their results in one iteration, so that their next calls
    share a commit too."""

    def set_results(loop: asyncio.AbstractEventLoop) -> None:
        for call, result in zip(group, results, strict=True):
            if call.loop is loop:
                call.done.set_result(result)

    for loop in {call.loop for call in group}:
        with suppress(RuntimeError):  # it is closed: nobody waits any more
            loop.call_soon_threadsafe(set_results, loop)


class _Connection:
    """A connection that stays open as long as its file is at the path."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._schema = schema
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None

    def run(self, work: Callable[[sqlite3.Connection], T], kind: str, *, timeout: float) -> T:
        """Run `work` in one transaction in the file that is at the path now.

        If it is `IMMEDIATE`, a new file gets its tables, and one of an earlier version is
        upgraded. After an error the transaction stays open.
        """
        while True:
            db = self._db  # on Windows another thread may close it meanwhile
            if db is None:
                if not self._path.exists():
                    with suppress(OSError):  # SQLite then creates it, or says why not
                        create_for_owner(self._path)
                self._inode = inode_of(self._path)
                db = self._db = _connect(self._path, timeout)
                db.execute("PRAGMA synchronous = FULL")
            db.execute(f"BEGIN {kind}")
            if self.is_current():
                break
            self.close()  # the file is new, or was removed or replaced
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if kind == "IMMEDIATE":
            # SQLite does not sync the removal of a journal, so a power cut might undo the commit.
            # It does sync the mark that a journal which stays is done with, and takes less time.
            db.execute("PRAGMA journal_mode = PERSIST")
        if version != self._schema.version and kind == "IMMEDIATE":
            self._upgrade(db, version)
        elif version not in (0, self._schema.version):
            raise _OtherVersion
        result = work(db)
        db.execute("COMMIT")
        return result

    def _upgrade(self, db: sqlite3.Connection, version: int) -> None:
        statements = {**self._schema.upgrades, 0: self._schema.tables}.get(version)
        if statements is None:
            raise _OtherVersion
        for statement in statements.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {self._schema.version}")

    def roll_back(self) -> None:
        """Undo what the open transaction has written. The file stays locked, if it can be."""
        with suppress(sqlite3.Error):  # none is open, or the damage prevents it
            if self._db is not None:
                self._db.execute("ROLLBACK")
                self._db.execute("BEGIN IMMEDIATE")

    def is_current(self) -> bool:
        """Whether the file is still the one at the path."""
        return self._inode == inode_of(self._path)

    def close(self) -> None:
        """Close the connection. A transaction that is open is rolled back."""
        if self._db is not None:
            self._db.close()
            self._db = None


def inode_of(path: Path) -> int | None:
    """The number of the file that is at the path now; None if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    # On Windows the thread of the writer closes the reader, whose next statement then fails.
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


class SQLiteStore:
    """The base of a class whose methods are transactions in a file."""

    _file: SQLiteFile

    def close(self) -> None:
        """Close the file, after the transactions that were started. A later one opens it again."""
        self._file.close()


def read_transaction(
    method: Callable[Concatenate[S, sqlite3.Connection, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Decorator: as `transaction`, for a method that changes nothing."""

    @wraps(method)
    async def read(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._file.read(lambda db: method(self, db, *args, **kwargs))

    return read


def transaction(
    method: Callable[Concatenate[S, sqlite3.Connection, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Decorator: await the method in one transaction, whose connection it gets."""

    @wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._file.run(lambda db: method(self, db, *args, **kwargs))

    return run


class _OtherVersion(Exception):
    """The file's schema is of a version that this program does not know."""


def is_usable(path: Path, schema: Schema) -> bool:
    """Check a file: whether it is undamaged and of a known version. Raises `StorageFailed`.

    Nothing that was committed changes. What a killed process has left half done is undone, as
    SQLite could not read the file otherwise.
    """
    require_locks(path.parent)
    with translate_sqlite_errors(), closing(_connect_to_check(path)) as db:
        try:
            check: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error_code(error) & _PRIMARY_CODE in _BROKEN:
                return False
            raise
    return check == "ok" and version in (0, schema.version, *schema.upgrades)


def _connect_to_check(path: Path) -> sqlite3.Connection:
    if not os.access(path, os.W_OK):
        raise StorageFailed(StorageFault.NOT_WRITABLE)
    uri = f"{path.absolute().as_uri()}?mode=rw"  # it creates no file
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)


@contextmanager
def translate_sqlite_errors() -> Iterator[None]:
    """Raise `StorageFailed` for errors of SQLite and of the file system."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        primary = error_code(error) & _PRIMARY_CODE
        fault = _FAULTS.get(primary, StorageFault.NOT_WRITABLE)
        raise StorageFailed(StorageFault.NO_LOCKS if is_unsupported(error) else fault) from error
    except _OtherVersion as error:  # another version of the program has made the file anew
        raise StorageFailed(StorageFault.BUSY) from error
    except OSError as error:
        raise StorageFailed(StorageFault.NOT_WRITABLE) from error
