"""Overrides of procrastinate: an outage of the database ends no worker and loses no job."""

from __future__ import annotations

import json
import logging
from collections import Counter, deque
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import psycopg
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, JobInserted
from procrastinate.manager import JobManager

from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue.job import DELIVERIES_PER_TEAM, JobKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from procrastinate.connector import Notify
    from procrastinate.jobs import Status
    from procrastinate.manager import NotificationCallback

    from mcp_enrichment.service.queue import job as ours

logger = logging.getLogger(__name__)
T = TypeVar("T")

RECONNECT_EVERY = 0.5
"""Seconds between two attempts while the database cannot be reached."""
FETCH_BATCH = 10
"""Lookups that one statement fetches at most: no other worker can run them."""
_LOOK_AGAIN: JobInserted = {"type": "job_inserted", "job_id": 0}  # makes a worker fetch


class RetryingConnector(PsycopgConnector):
    """Repeats a statement while the database cannot be reached, until `give_up`.

    Every statement of procrastinate's may be repeated. A job whose fetch was not answered is known
    to the database alone: `ProcrastinateWorkers` requeues it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._retries = True
        self._is_away = False
        for library in ("psycopg", "psycopg.pool"):
            # They log an outage with the server's address; it is logged once, here, without.
            logging.getLogger(library).setLevel(logging.CRITICAL)

    def give_up(self) -> None:
        """Stop repeating: the process is about to end."""
        self._retries = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        execute = super().execute_query_async
        try:
            await self._retry(lambda: execute(query, **arguments))
        except ConnectorException as error:
            # "No such job": the statement was executed before, or the job was done elsewhere.
            is_done = isinstance(error.__cause__, psycopg.errors.RaiseException)
            # Without its heartbeats this worker counts as dead, and its jobs are requeued.
            if not (is_done or self.has_given_up_on(error)):
                raise

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        execute = super().execute_query_one_async
        return await self._retry(lambda: execute(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        execute = super().execute_query_all_async
        return await self._retry(lambda: execute(query, **arguments))

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        listen = super().listen_notify
        # The listener is cancelled at the end; it need not give up.
        await self._retry(lambda: listen(on_notification, channels), gives_up=False)

    def has_given_up_on(self, error: ConnectorException) -> bool:
        """Whether the error is an outage that is no longer waited for."""
        return not self._retries and _is_outage(error)

    async def _retry(self, execute: Callable[[], Awaitable[T]], *, gives_up: bool = True) -> T:
        attempts = 0
        while True:
            try:
                result = await execute()
            except ConnectorException as error:
                if not _is_outage(error):
                    raise
                if attempts:
                    self._log_outage()
                if self._is_away and gives_up and not self._retries:
                    raise
            else:
                self._is_away = False
                return result
            # The first retry is immediate: a single connection may have died.
            await anyio.sleep(RECONNECT_EVERY if attempts else 0)
            attempts += 1

    def _log_outage(self) -> None:
        if not self._is_away:
            logger.warning("the queue cannot reach its database; it continues when it can")
        self._is_away = True


def _is_outage(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError)


class Capacity:
    """The number of jobs of one kind that this process runs at once, over several workers."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._reserved = 0
        self.workers: list[TrackingJobManager] = []

    @contextmanager
    def reserve(self, most: int) -> Iterator[int]:
        """Reserve room for a fetch: the number of jobs that may be fetched within it."""
        at_work = sum(len(worker.at_work) for worker in self.workers)
        room = max(min(most, self._total - at_work - self._reserved), 0)
        self._reserved += room
        try:
            yield room
        finally:
            self._reserved -= room

    async def offer(self) -> None:
        """Let the workers that found no room fetch again."""
        for worker in self.workers:
            if worker.found_no_room:
                worker.found_no_room = False
                await worker.look_again()


class TrackingJobManager(JobManager):
    """Fetches in batches, knows which jobs its worker has, and misses no notification."""

    def __init__(self, connector: RetryingConnector, queue: str, capacity: Capacity) -> None:
        super().__init__(connector)
        self._connector = connector
        self.queue = queue
        self._capacity = capacity
        capacity.workers.append(self)
        self.ready: deque[Job] = deque()
        """Fetched, and not yet started."""
        self.is_leaving = False
        self.found_no_room = False
        self.worker_id: int | None = None  # of the last fetch
        self.at_work: dict[int | None, int] = {}
        """The team of each job by its id, until the end of the job is stored."""
        self._released_to: dict[int | None, str] = {}
        self._deleted: set[int | None] = set()
        self._notifications = 0
        self._emptied_at = -1  # the notifications until a fetch found the last job of the queue
        self._notify: NotificationCallback | None = None

    def leave(self) -> None:
        """Fetch no more."""
        self.is_leaving = True

    async def look_again(self) -> None:
        """Make the worker fetch."""
        if self._notify:
            await self._notify(channel=self.queue, notification=_LOOK_AGAIN)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:  # noqa: ARG002
        self.worker_id = worker_id
        # The worker forgets a notification that comes during the fetch: so the fetch is repeated.
        while not (self.ready or self.is_leaving or self._emptied_at == self._notifications):
            await self._fetch(worker_id)
        job = self.ready.popleft() if self.ready and not self.is_leaving else None
        # A call after None comes with a notification, or is a poll.
        self._emptied_at = self._emptied_at if job else -1
        return job

    async def _fetch(self, worker_id: int) -> None:
        seen = self._notifications
        with self._capacity.reserve(1 if self.queue == JobKind.DELIVER else FETCH_BATCH) as room:
            self.found_no_room = room == 0
            for row in await self._claim_or_none(worker_id, room) if room else ():
                self.at_work[row["id"]] = row["args"]["team_id"]
                self.ready.append(Job.from_row(row))
        self._emptied_at = -1 if len(self.ready) == room > 0 else seen
        if room > len(self.ready):
            await self._capacity.offer()

    async def _claim_or_none(self, worker_id: int, room: int) -> Sequence[dict[str, Any]]:
        try:
            return await self.claim(worker_id, room)
        except ConnectorException as error:
            if not self._connector.has_given_up_on(error):
                raise
            return []

    async def claim(self, worker_id: int, room: int) -> Sequence[dict[str, Any]]:
        """Fetch up to `room` jobs: lookups by priority, callbacks one by one and team by team."""
        query: str = procrastinate_queue.FETCH
        options: dict[str, Any] = {"limit": room}
        if self.queue == JobKind.DELIVER:
            at_work = json.dumps(Counter(self.at_work.values()))
            query = procrastinate_queue.FETCH_FAIRLY
            options = {"share": DELIVERIES_PER_TEAM, "at_work": at_work}
        return await self.connector.execute_query_all_async(
            query=query, queue=self.queue, worker_id=worker_id, **options
        )

    async def unregister_worker(self, worker_id: int) -> None:
        """Release the jobs that were not started, then delete the worker."""
        async with anyio.create_task_group() as tasks:
            for job in self.ready:
                self.mark_released(job.id)
                tasks.start_soon(self.retry_job, job)
        self.ready.clear()
        await super().unregister_worker(worker_id)

    def mark_released(self, job_id: int | None, *, to: str | None = None) -> None:
        """Release this job when it ends, without counting an attempt: to the queue `to`, or to its
        own."""
        self._released_to[job_id] = to or self.queue

    def delete_done(self, connection: Any, done: Sequence[ours.Job]) -> None:
        """Delete jobs in the transaction that completes their work."""
        ids = [job.engine_id for job in done if job.engine_id is not None]
        procrastinate_queue.delete_done(connection, ids)
        self._deleted.update(ids)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        try:
            if job.id not in self._deleted:
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
        execute, to = self.connector.execute_query_async, self._released_to.get(job.id)
        try:
            if to:
                await execute(procrastinate_queue.RELEASE, id=job.id, queue=to)
            else:
                when = {"retry_at": retry_at or datetime.now(UTC), "priority": priority}
                await execute(procrastinate_queue.RETRY, id=job.id, queue=queue, **when)
        finally:
            await self._forget(job)

    async def _forget(self, job: Job) -> None:
        known = self.at_work.pop(job.id, None)
        self._deleted.discard(job.id)
        self._released_to.pop(job.id, None)
        if known is not None and self.queue == JobKind.DELIVER:
            await self.look_again()  # its team may have more, which the limit of a team held back
        await self._capacity.offer()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        async def notify(**what: Any) -> None:
            self._notifications += 1
            await on_notification(**what)

        self._notify = notify
        await super().listen_for_jobs(on_notification=notify, queues=queues)
