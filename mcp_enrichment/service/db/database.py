"""One database: connections, transactions, and the threads that keep them off the event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, Engine, Text, cast, func, select
from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.errors import transaction, translate_db_errors
from mcp_enrichment.service.db.inline_reader import NotReadable
from mcp_enrichment.service.db.schema import teams, write_checks
from mcp_enrichment.service.db.upsert import upsert
from mcp_enrichment.service.privacy.secure_vacuum import scrub
from mcp_enrichment.service.queue import sqlite_queue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from mcp_enrichment.service.db.inline_reader import InlineReader
    from mcp_enrichment.service.db.sqlite_threads import SQLiteThreads
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
    from mcp_enrichment.service.queue.job import Queue

T = TypeVar("T")
R = TypeVar("R")

BUSY_TIMEOUT = 30.0
"""Seconds that a transaction waits for another process before it fails as busy."""
CHECK_EVERY = 1.0
"""Seconds between two writes of the readiness check, however often it is called."""
READERS = 4
"""Reads at once; more threads do not make SQLite faster."""
MAX_ATTEMPTS = 5
"""The most attempts of a transaction that conflicts, or whose connection is lost."""
_END_OF_WAL = select(cast(func.pg_current_wal_insert_lsn(), Text))


class Database:
    """Runs functions of a connection, each in one transaction, in a bounded number of threads."""

    def __init__(
        self,
        engine: Engine,
        pseudonyms: Pseudonyms,
        *,
        reads: Engine | None = None,
        snapshots: Engine | None = None,
        queue: Queue = sqlite_queue,
        writers: int = 1,
        inline_reader: InlineReader | None = None,
        reader_threads: SQLiteThreads | None = None,
        writer_thread: SQLiteThreads | None = None,
        is_in_place: Callable[[], bool] = lambda: True,
        may_run_again: Callable[[DBAPIError], bool] = lambda _: False,
        listen: Callable[[str], AsyncGenerator[str | None, None]] | None = None,
        data_version: Callable[[], int] | None = None,
    ) -> None:
        """`reads`: the engine for reads; default: `engine`. `snapshots`: the engine for snapshots;
        default: `reads`. `writers`: writes at once; SQLite has one writer at a time, and queueing
        here is cheaper than its busy handler's sleeps. `inline_reader`, `reader_threads`,
        `writer_thread`: run `read_few`, `read` and `write`, in place of the event loop's threads.
        `may_run_again`: whether a transaction that failed with this error, before its commit, can
        be run again."""
        self.pseudonyms = pseudonyms
        self.queue = queue
        """The queue of the job engine of this database."""
        self.listen = listen
        """Yields the payloads of a channel's notifications, and None if some may have been
        missed; None for a database without notifications."""
        self.data_version = data_version
        """A number that changes with each commit of another connection: for a database without
        notifications."""
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._reads = reads or engine
        self._snapshots = snapshots or self._reads
        self._is_in_place = is_in_place
        self._may_run_again = may_run_again
        self._reading = anyio.CapacityLimiter(READERS)
        self._writing = anyio.CapacityLimiter(writers)
        self._inline_reader = inline_reader
        self._reader_threads, self._writer_thread = reader_threads, writer_thread
        self._writable_until = 0.0
        self._groups: dict[Callable[..., Any], Batcher[Any, Any]] = {}

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read transaction and return what it returns."""
        if self._reader_threads:
            return await self._reader_threads.run(work)
        return await anyio.to_thread.run_sync(self.read_now, work, limiter=self._reading)

    async def read_few(self, work: Callable[[Connection], T]) -> T:
        """`read` for a few rows by their keys: on SQLite in this thread, which is faster, and with
        each statement in a transaction of its own."""
        if self._inline_reader:
            with suppress(NotReadable):
                return self._inline_reader.read(work)
        return await self.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction: committed if it returns, rolled back if it raises.

        On SQLite, writes that wait at the same time share one commit: if that fails, all fail.
        """
        if self._writer_thread:
            return await self._writer_thread.run(work)
        return await anyio.to_thread.run_sync(self.write_now, work, limiter=self._writing)

    async def read_grouped(
        self, work: Callable[[Connection, Sequence[T]], Sequence[R]], one: T
    ) -> R:
        """`read` for one item, grouped with other items of the same `work` at this time. `work`, a
        function of a module, returns the results in the order of the items. On SQLite a read of its
        own is faster."""
        if self._inline_reader:
            return (await self.read_few(lambda connection: work(connection, [one])))[0]
        return await self._together(self.read, work)(one)

    async def write_grouped(
        self, work: Callable[[Connection, Sequence[T]], Sequence[R]], one: T
    ) -> R:
        """`write` for one item, grouped with others: one commit for all. If it raises, each item
        gets a transaction of its own."""
        return await self._together(self.write, work)(one)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """`read`, in the calling thread."""
        return self._run(self._reads, work)

    def snapshot_now(self, work: Callable[[Connection], T]) -> T:
        """`read_now` on a snapshot: results may be streamed."""
        return self._run(self._snapshots, work)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """`write`, in the calling thread."""
        return self._run(self._writes, work)

    def scrub_now(self) -> bool:
        """Remove the remains of deleted rows from the files, in the calling thread.

        False if another process kept the files busy for `BUSY_TIMEOUT`, or the disk has no room
        for a second copy: it is to be called again. Raises `StorageFailed`.
        """
        with translate_db_errors():
            return scrub(self._engine)

    async def check(self) -> None:
        """Return if the database can be written and read. Raises `StorageFailed`."""
        if time.monotonic() > self._writable_until:
            await self.write(_write_something)
            self._writable_until = time.monotonic() + CHECK_EVERY
        await self.read(lambda c: c.execute(select(1).select_from(teams)).first())
        if not await anyio.to_thread.run_sync(self._is_in_place, limiter=self._reading):
            raise StorageFailed(StorageFault.UNREACHABLE)

    async def last_change(self) -> object:
        """A value that differs after each write. On Postgres it may also differ without one."""
        if self.data_version:
            return await anyio.to_thread.run_sync(self.data_version)
        return await self.read(lambda c: c.execute(_END_OF_WAL).scalar())

    def close(self) -> None:
        """Close every connection."""
        try:
            for part in (self._inline_reader, self._reader_threads, self._writer_thread):
                if part:
                    part.close()
        finally:
            self._engine.dispose()

    def _together(
        self,
        run: Callable[[Callable[[Connection], Sequence[R]]], Awaitable[Sequence[R]]],
        work: Callable[[Connection, Sequence[T]], Sequence[R]],
    ) -> Batcher[T, R]:
        if work not in self._groups:
            self._groups[work] = Batcher(lambda members: run(lambda c: work(c, members)))
        return self._groups[work]

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        with translate_db_errors():
            for _ in range(MAX_ATTEMPTS - 1):
                try:
                    return self._attempt(engine, work)
                except _TransactionConflict:
                    continue
            with engine.connect() as connection, transaction(connection):
                return work(connection)

    def _attempt(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        # A commit that fails is not repeated: its result is unknown.
        with engine.connect() as connection, transaction(connection):
            try:
                return work(connection)
            except DBAPIError as error:
                if self._may_run_again(error):
                    raise _TransactionConflict from error
                raise


class Batcher(Generic[T, R]):
    """Group commit: items that come while a group is processed are the next group."""

    def __init__(self, do: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        """`do`: processes a group, and returns the results in the order of the items."""
        self._do = do
        self._next: dict[asyncio.Future[R], T] = {}
        self._turn = anyio.Lock()

    async def __call__(self, one: T) -> R:
        """Add one item to the next group; return its result or raise its error."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._next[result] = one
        if len(self._next) == 1:
            # The first item's task leads the group, so it must not be cancelled.
            with anyio.CancelScope(shield=True):
                async with self._turn:
                    group, self._next = self._next, {}
                    await self._process(group)
        return await result

    async def _process(self, group: Mapping[asyncio.Future[R], T]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._do(list(group.values()))
        except StorageFailed as failure:
            outcomes = [failure] * len(group)
        except Exception as defect:  # noqa: BLE001 (of one item: each is processed alone)
            if len(group) > 1:
                for result, one in group.items():
                    await self._process({result: one})
                return
            outcomes = [defect]
        for result, outcome in zip(group, outcomes, strict=True):
            if result.done():
                continue  # its task was cancelled
            if isinstance(outcome, Exception):
                result.set_exception(outcome)
            else:
                result.set_result(outcome)


class _TransactionConflict(Exception):
    """The transaction conflicts with another one."""


def _write_something(connection: Connection) -> None:
    # A full disk shows at the commit. A rollback would write nothing.
    row = {"id": 1, "at": time.time()}
    new = upsert(connection, write_checks).values(row)
    connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=row))


def run_write(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in a write transaction, before there is a `Database`. Raises `StorageFailed`."""
    writing = engine.execution_options(writes=True)
    with translate_db_errors(), writing.begin() as connection:
        return work(connection)
