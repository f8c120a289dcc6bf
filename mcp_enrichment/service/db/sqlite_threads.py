"""The threads of a SQLite file: a few read, one does all writes, and their connections are kept."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from contextlib import contextmanager, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.db.errors import (
    require_transaction,
    transaction,
    translate_db_errors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

MAX_GROUP = 64
"""The most functions that share a transaction: the first of them waits for the last."""


class SQLiteThreads:
    """Runs functions of a connection in threads of their own.

    With `groups`, functions that wait at the same time share a transaction, and so one write to the
    disk (group commit). If one raises, only its own changes are undone: all of its group run again,
    each in a savepoint. So a function changes nothing but the database. One that waits alone begins
    at once.
    """

    def __init__(self, engine: Engine, *, threads: int, groups: bool = False) -> None:
        self._engine = engine
        self._most = MAX_GROUP if groups else 1
        self._number = threads
        self._threads: list[Thread] = []
        self._starting = Lock()
        self._idle: list[Connection] = []
        self._waiting: SimpleQueue[_Call | None] = SimpleQueue()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, and return its result once that is committed. Raises
        `StorageFailed`.

        A call that is cancelled before a thread has begun it is not made.
        """
        if len(self._threads) < self._number:
            self._start()
        call = _Call(work)
        self._waiting.put(call)
        try:
            await call.done.wait()
        except asyncio.CancelledError:
            if call.take():
                raise
            with anyio.CancelScope(shield=True):  # a thread cannot be stopped
                await call.done.wait()
            if anyio.current_effective_deadline() > -math.inf:
                raise
            # A cancelled scope cancels the next await, and the caller gets the result.
        return cast("T", call.outcome())

    def close(self) -> None:
        """End the threads, and close their connections."""
        with self._starting:
            for _ in self._threads:
                self._waiting.put(None)
            for thread in self._threads:
                thread.join()
            self._threads.clear()
            while self._idle:
                self._idle.pop().close()

    def _start(self) -> None:
        with self._starting:
            while len(self._threads) < self._number:
                thread = Thread(target=self._serve, name="sqlite", daemon=True)
                thread.start()  # it raises if the system has no room for one more
                self._threads.append(thread)

    def _serve(self) -> None:
        while first := self._waiting.get():
            group = [first, *self._others()]
            try:
                with translate_db_errors(), self._connection() as connection:
                    _run_all(connection, group)
            except BaseException as error:  # noqa: BLE001 (each caller raises it)
                for call in group:
                    call.error = call.error or error
            _report(group)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that is kept for later calls, unless the database fails. It is the one that
        was used last: a file that was replaced meanwhile is not opened without need."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
        try:
            yield connection
        except (StorageFailed, DBAPIError, sqlite3.Error):
            connection.invalidate()  # after a failed COMMIT its transaction may be open
            raise
        finally:
            if connection.invalidated:
                connection.close()
            else:
                self._idle.append(connection)

    def _others(self) -> Sequence[_Call]:
        """The calls that wait, too."""
        others: list[_Call] = []
        with suppress(Empty):
            while len(others) + 1 < self._most:
                if call := self._waiting.get_nowait():
                    others.append(call)
                else:  # for `_serve`, which ends after this group
                    self._waiting.put(None)
                    break
        return others


class _OneRaised(Exception):
    """One of several functions has raised."""


def _run_all(connection: Connection, group: Sequence[_Call]) -> None:
    """Run the calls in one transaction, those that were withdrawn excepted.

    A savepoint for each would take an eighth of the service's processor time, and most groups need
    none. After an error of the commit nothing runs again: its result may be unknown.
    """
    begun: list[_Call] = []
    try:
        with transaction(connection):
            begun += [call for call in group if call.take()]
            for call in begun:
                try:
                    call.run(connection)
                except Exception as error:
                    if len(begun) == 1:
                        raise
                    raise _OneRaised from error
                require_transaction(connection)
    except _OneRaised:
        with transaction(connection):
            for call in begun:
                call.run_in_savepoint(connection)


class _Call:
    """A function that a task has called, with its result or its error."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self._work = work
        self._context = copy_context()
        self._taken = Lock()
        self._result: Any = None
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        self.error: BaseException | None = None

    def take(self) -> bool:
        """Take the call: a thread takes it to begin it, its task to withdraw it. Returns True for
        the first of them only."""
        return self._taken.acquire(blocking=False)

    def outcome(self) -> Any:
        """The result. Raises the error."""
        error, self.error = self.error, None  # else the error would refer to itself
        if error:
            raise error
        return self._result

    def run(self, connection: Connection) -> None:
        self._result = self._context.run(self._work, connection)

    def run_in_savepoint(self, connection: Connection) -> None:
        """Run the function in a savepoint, so that it can be undone alone. Raises errors that end
        the whole transaction."""
        driver: Any = connection.connection.driver_connection
        driver.execute("SAVEPOINT call")
        try:
            with translate_db_errors():
                self.run(connection)
        except Exception as error:  # noqa: BLE001 (its caller raises it)
            require_transaction(connection)
            self.error = error
            driver.execute("ROLLBACK TO call")
        require_transaction(connection)
        driver.execute("RELEASE call")


def _report(group: Sequence[_Call]) -> None:
    for loop in {call.loop for call in group}:
        done = [call.done for call in group if call.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_set_all, done)


def _set_all(events: Sequence[asyncio.Event]) -> None:
    for event in events:
        event.set()
