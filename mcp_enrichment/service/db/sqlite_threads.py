"""The threads of a SQLite file: a few read, one does all writes, and their connections are kept."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.db.errors import transaction, translate_db_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

MAX_GROUP = 64
"""The most functions that share a transaction: the first of them waits for the last."""


class SQLiteThreads:
    """Runs functions of a connection in threads of their own.

    With `groups`, functions that wait at the same time share a transaction, and so one write to the
    disk (group commit). Each has a savepoint: if it raises, only its own changes are undone. A
    function that waits alone begins at once.
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
        """What `work` returns, once its transaction is committed. Raises `StorageFailed`."""
        call = _Call(work)
        self._start()
        self._waiting.put(call)
        with anyio.CancelScope(shield=True):  # a thread cannot be stopped
            await call.done.wait()
        if call.error:
            raise call.error
        return cast("T", call.result)

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
        if self._threads:
            return
        with self._starting:
            for _ in range(self._number - len(self._threads)):
                self._threads.append(Thread(target=self._serve, name="sqlite", daemon=True))
                self._threads[-1].start()

    def _serve(self) -> None:
        while first := self._waiting.get():
            group = [first, *self._others()]
            try:
                with translate_db_errors(), self._connection() as connection:
                    _run(connection, group)
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


class _Call:
    """A function that a task has called, and what has come of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self._work = work
        self._context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.done = anyio.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        self.result = self._context.run(self._work, connection)

    def run_in_savepoint(self, connection: Connection) -> None:
        """Run it so that it can be undone alone. Raises what ends the whole transaction."""
        driver: Any = connection.connection.driver_connection
        driver.execute("SAVEPOINT call")
        try:
            with translate_db_errors():
                self.run(connection)
        except Exception as error:
            if not driver.in_transaction:  # as after a full disk, which undoes all of it
                raise
            self.error = error
            driver.execute("ROLLBACK TO call")
        driver.execute("RELEASE call")


def _run(connection: Connection, group: Sequence[_Call]) -> None:
    with transaction(connection):
        if len(group) == 1:
            group[0].run(connection)
        else:
            for call in group:
                call.run_in_savepoint(connection)


def _report(group: Sequence[_Call]) -> None:
    for loop in {call.loop for call in group}:
        done = [call.done for call in group if call.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_set_all, done)


def _set_all(events: Sequence[anyio.Event]) -> None:
    for event in events:
        event.set()
