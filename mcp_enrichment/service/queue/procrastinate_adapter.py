"""Procrastinate's side of the database, patient: an outage ends no worker and loses no job."""

from __future__ import annotations

import json
import logging
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import psycopg
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, JobInserted
from procrastinate.manager import JobManager

from mcp_enrichment.service.queue import procrastinate_queue, sqlite_queue
from mcp_enrichment.service.queue.sqlite_queue import JobKind
from mcp_enrichment.service.queue.sqlite_worker import DELIVERIES_PER_TEAM

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from procrastinate.connector import Notify
    from procrastinate.jobs import Status
    from procrastinate.manager import NotificationCallback

    from mcp_enrichment.service.lookup.source_limiter import SourceLimiter

logger = logging.getLogger(__name__)

T = TypeVar("T")

RECONNECT_EVERY = 0.5
"""Seconds between two tries while the database is away."""
FETCH_BATCH = 10
"""Lookups that are taken in one statement at most: what one worker takes no other one has."""
_CAPACITY_FREED: JobInserted = {"type": "job_inserted", "job_id": 0}
"""What a worker is told to have it look for jobs."""


class RetryingConnector(PsycopgConnector):
    """Says a statement again for as long as the database is away, or until told to give up.

    All of procrastinate's may be repeated. A job that was fetched by one whose answer was lost
    shows in the database alone: `Fleet` puts it back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_patient = True
        self._is_away = False
        for library in ("psycopg", "psycopg.pool"):
            # They tell an outage in the server's words and places; here it is told once, in ours.
            logging.getLogger(library).setLevel(logging.CRITICAL)

    def give_up(self) -> None:
        """From now on wait for no database that is away: the process is about to end."""
        self._is_patient = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        say = super().execute_query_async
        try:
            await self._patiently(lambda: say(query, **arguments))
        except ConnectorException as error:
            # "No such job": it was heard before, or done elsewhere.
            heard = isinstance(error.__cause__, psycopg.errors.RaiseException)
            # What nobody could be told shows in this worker's silence: its jobs are taken over.
            if not (heard or self.has_given_up_on(error)):
                raise

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        say = super().execute_query_one_async
        return await self._patiently(lambda: say(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        say = super().execute_query_all_async
        return await self._patiently(lambda: say(query, **arguments))

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        listen = super().listen_notify
        # Who listens is cancelled at the end, and need not give up.
        await self._patiently(lambda: listen(on_notification, channels), gives_up=False)

    def has_given_up_on(self, error: ConnectorException) -> bool:
        """Whether it is raised as nobody waits for the database any more."""
        return not self._is_patient and _is_outage(error)

    async def _patiently(self, say: Callable[[], Awaitable[T]], *, gives_up: bool = True) -> T:
        said = 0
        while True:
            try:
                answer = await say()
            except ConnectorException as error:
                if not _is_outage(error):
                    raise
                if said:
                    self._tell_outage()
                if self._is_away and gives_up and not self._is_patient:
                    raise
            else:
                self._is_away = False
                return answer
            # At once the first time: one connection may have died unseen, and others live.
            await anyio.sleep(RECONNECT_EVERY if said else 0)
            said += 1

    def _tell_outage(self) -> None:
        if not self._is_away:
            logger.warning("the queue's database is away; work goes on when it is back")
        self._is_away = True


def _is_outage(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError)


class TrackingJobManager(JobManager):
    """Knows which jobs its worker has taken, and misses no notification."""

    def __init__(
        self,
        connector: RetryingConnector,
        queue: str,
        source_limiter: SourceLimiter,
        *,
        concurrency: int,
        line_at: str = "",
    ) -> None:
        super().__init__(connector)
        self._connector = connector
        self._queue = queue
        self._source_limiter = source_limiter
        self._line_at = line_at
        self._concurrency = concurrency
        self._ready: deque[Job] = deque()
        """Taken, and to be begun as soon as the worker asks for the next."""
        self._leaving = False
        self._at_the_door: anyio.CancelScope | None = None
        self.worker_id: int | None = None
        """The worker that fetched last."""
        self.at_work: dict[int | None, int] = {}
        """The ids of its jobs, until their end has been written down, and whose they are."""
        self._given_back: dict[int | None, str] = {}
        self._taken_off: set[int | None] = set()
        self._told = 0
        self._tell: NotificationCallback | None = None

    def leave(self) -> None:
        """Take no more, and wait for room no longer."""
        self._leaving = True
        if self._at_the_door:
            self._at_the_door.cancel()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:  # noqa: ARG002
        self.worker_id = worker_id
        if not self._ready:
            await self._take(worker_id)
        return self._ready.popleft() if self._ready and not self._leaving else None

    async def unregister_worker(self, worker_id: int) -> None:
        """Give back what was not begun, and say that the worker is gone."""
        async with anyio.create_task_group() as tasks:
            for job in self._ready:
                self._source_limiter.gone(str(job.task_kwargs["target_id"]))
                self.mark_released(job.id)
                tasks.start_soon(self.retry_job, job)
        self._ready.clear()
        await super().unregister_worker(worker_id)

    async def _take(self, worker_id: int) -> None:
        room = FETCH_BATCH
        if self._line_at:
            with anyio.CancelScope() as self._at_the_door:
                room = await self._source_limiter.room(self._line_at)
        while not self._leaving:
            told = self._told
            for row in await self._next_or_none(worker_id, room):
                self.at_work[row["id"]] = row["args"]["team_id"]
                if self._line_at:
                    self._source_limiter.coming(row["args"]["target_id"], self._line_at)
                self._ready.append(Job.from_row(row))
            # Who is told of a job while it looks would wait for the next look: the worker forgets
            # what it was told when it has looked.
            if self._ready or told == self._told:
                break

    async def _next_or_none(self, worker_id: int, room: int) -> list[dict[str, Any]]:
        try:
            return await self._next(worker_id, room)
        except ConnectorException as error:
            if not self._connector.has_given_up_on(error):
                raise
            return []

    async def _next(self, worker_id: int, room: int) -> list[dict[str, Any]]:
        mine = {"queue": self._queue, "worker_id": worker_id}
        if self._queue != JobKind.DELIVER:
            limit = max(1, min(room, self._concurrency - len(self.at_work)))
            return await self.connector.execute_query_all_async(
                query=procrastinate_queue.FETCH, limit=limit, **mine
            )
        return await self.connector.execute_query_all_async(
            query=procrastinate_queue.FETCH_FAIRLY,
            share=DELIVERIES_PER_TEAM,
            at_work=json.dumps(Counter(self.at_work.values())),
            **mine,
        )

    def mark_released(self, job_id: int | None, *, to: str | None = None) -> None:
        """What was done of the job is no try of it. `to`: another queue."""
        self._given_back[job_id] = to or self._queue

    def delete_done(self, connection: Any, done: Sequence[sqlite_queue.Job]) -> None:
        """Remove jobs in the transaction that completes their work; nothing is left to finish."""
        ids = [job.number for job in done if job.number is not None]
        procrastinate_queue.delete_done(connection, ids)
        self._taken_off.update(ids)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        try:
            if job.id not in self._taken_off:
                await super().finish_job(job, status, delete_job)
        finally:
            await self._forget(job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,  # noqa: ARG002 (no job of ours has one)
    ) -> None:
        say, back = self.connector.execute_query_async, self._given_back.get(job.id)
        try:
            if back:
                await say(procrastinate_queue.RELEASE, id=job.id, queue=back)
            else:
                at = retry_at or datetime.now(UTC)
                await say(
                    procrastinate_queue.RETRY,
                    id=job.id,
                    retry_at=at,
                    priority=priority,
                    queue=queue,
                )
        finally:
            await self._forget(job)

    async def _forget(self, job: Job) -> None:
        team_id = self.at_work.pop(job.id, None)
        self._taken_off.discard(job.id)
        self._given_back.pop(job.id, None)
        if team_id is not None and self._tell and self._queue == JobKind.DELIVER:
            # What was left for want of room of its team is told of by nobody else.
            await self._tell(channel=self._queue, notification=_CAPACITY_FREED)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        async def told(**what: Any) -> None:
            self._told += 1
            await on_notification(**what)

        self._tell = told
        await super().listen_for_jobs(on_notification=told, queues=queues)
