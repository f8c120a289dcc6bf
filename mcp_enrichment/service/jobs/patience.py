"""Procrastinate's side of the database, patient: an outage ends no worker and loses no job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import psycopg
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from mcp_enrichment.service.store import fleet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from procrastinate.connector import Notify
    from procrastinate.jobs import Status
    from procrastinate.manager import NotificationCallback

    from mcp_enrichment.service.domain.turns import Turns

logger = logging.getLogger(__name__)
for _library in ("psycopg", "psycopg.pool"):
    # What they say of an outage are the server's words and places; here it is said once, in ours.
    logging.getLogger(_library).setLevel(logging.CRITICAL)

T = TypeVar("T")

PAUSE = 0.5
"""Seconds between two tries while the database is away."""


class PatientConnector(PsycopgConnector):
    """Says a statement again for as long as the database is away, or until told to give up.

    All of procrastinate's may be repeated. A job that was fetched by one whose answer was lost
    shows in the database alone: `Fleet` puts it back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._patient = True

    def give_up(self) -> None:
        """Say nothing again from now on."""
        self._patient = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        say = super().execute_query_async
        await self._patiently(lambda: say(query, **arguments), done=None)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        say = super().execute_query_one_async
        return await self._patiently(lambda: say(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        say = super().execute_query_all_async
        return await self._patiently(lambda: say(query, **arguments))

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        listen = super().listen_notify
        await self._patiently(lambda: listen(on_notification, channels))

    async def _patiently(self, say: Callable[[], Awaitable[T]], **done: T) -> T:
        said = 0
        while True:
            try:
                return await say()
            except ConnectorException as error:
                cause = error.__cause__
                if done and isinstance(cause, psycopg.errors.RaiseException):
                    return done["done"]  # "no such job": it was heard before, or done elsewhere
                if not self._patient or not isinstance(cause, psycopg.OperationalError):
                    raise
            # At once the first time: one connection may have died unseen, and others live.
            await anyio.sleep(PAUSE if said else 0)
            if said == 1:
                logger.warning("the queue's database is away; work goes on when it is back")
            said += 1


class Taken(JobManager):
    """Knows which jobs its worker has taken, and misses no notification."""

    def __init__(self, connector: PatientConnector, queue: str, turns: Turns) -> None:
        super().__init__(connector)
        self._queue = queue
        self._turns = turns
        self._leaving = False
        self._at_the_door: anyio.CancelScope | None = None
        self.worker_id: int | None = None
        """The worker that fetched last."""
        self.at_work: set[int | None] = set()
        """The ids of its jobs, until their end has been written down."""
        self._taken_off: set[int | None] = set()
        self._told = 0

    def leave(self) -> None:
        """Take no more, and wait for room no longer."""
        self._leaving = True
        if self._at_the_door:
            self._at_the_door.cancel()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:  # noqa: ARG002
        self.worker_id = worker_id
        with anyio.CancelScope() as self._at_the_door:
            await self._turns.room()
        while not self._leaving:
            told = self._told
            found = await self.connector.execute_query_all_async(
                query=fleet.FETCH, queue=self._queue, worker_id=worker_id
            )
            for row in found:
                self.at_work.add(row["id"])
                self._turns.coming(row["args"]["subject"])
                return Job.from_row(row)
            # Who is told of a job while it looks would wait for the next look: the worker forgets
            # what it was told when it has looked.
            if told == self._told:
                break
        return None

    def take_off(self, connection: Any, *, job: Job) -> None:
        """Remove the job in the transaction that completes its work; nothing is left to finish."""
        assert job.id is not None  # noqa: S101 (it was fetched)
        fleet.take_off(connection, job.id)
        self._taken_off.add(job.id)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        try:
            if job.id not in self._taken_off:
                await super().finish_job(job, status, delete_job)
        finally:
            self._forget(job)

    async def retry_job(self, job: Job, *when: Any, **how: Any) -> None:
        try:
            await super().retry_job(job, *when, **how)
        finally:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self.at_work.discard(job.id)
        self._taken_off.discard(job.id)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        async def told(**what: Any) -> None:
            self._told += 1
            await on_notification(**what)

        await super().listen_for_jobs(on_notification=told, queues=queues)
