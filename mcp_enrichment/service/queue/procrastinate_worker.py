"""The job engine on Postgres: procrastinate's workers call the handlers.

procrastinate has the queue, LISTEN/NOTIFY, heartbeats and the number of attempts. A process has one
worker for each kind of job, so that callbacks that hang delay no lookup, and one for each source
with a limit: lookups that wait for a slot there have a queue of their own.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.exceptions import ConnectorException
from psycopg_pool import AsyncConnectionPool

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.db.postgres import NETWORK
from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue.background import repeat, run_alongside
from mcp_enrichment.service.queue.handlers import run_job
from mcp_enrichment.service.queue.job import CONCURRENCY, Job, JobKind
from mcp_enrichment.service.queue.procrastinate_adapter import (
    Capacity,
    RetryingConnector,
    TrackingJobManager,
)
from mcp_enrichment.service.queue.procrastinate_source_queue import SourceJobManager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from procrastinate import jobs
    from psycopg import AsyncConnection

    from mcp_enrichment.service.context import ServiceContext

logger = logging.getLogger(__name__)

HEARTBEAT = 4.0
"""Seconds between two heartbeats of a worker."""
WORKER_TIMEOUT = 16.0
"""Seconds without a heartbeat after which a worker counts as dead, and its jobs are requeued."""
SWEEP = 4.0
"""Seconds between two sweeps for them. With `WORKER_TIMEOUT` and a poll: 21 seconds at most."""
DELETE_WORKER_AFTER = 3600.0
"""Seconds after which the row of a dead worker is deleted."""
POLL = 1.0
"""Seconds between two polls for jobs without a notification: rescheduled ones that are due."""
RELEASE_SECONDS = 4.0
"""The most that releasing jobs may take at the end of the process."""
OUTAGE_BACKOFF = 1.0
"""Seconds until a job that failed by the database is run again."""
CONNECTIONS = 4
"""Connections of procrastinate in each process, beside those that listen."""


class _Rescheduled(Exception):
    def __init__(self, seconds: float, priority: int | None = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.priority = priority


class _RetryAlways(BaseRetryStrategy):
    """A rescheduled job runs again at its time, from the queue of its kind. A job that a shutdown
    has stopped runs again at once, in another process."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision:
        off = exception if isinstance(exception, _Rescheduled) else _Rescheduled(0.0)
        run_at = datetime.now(UTC) + timedelta(seconds=off.seconds)
        return RetryDecision(retry_at=run_at, priority=off.priority, queue=job.task_name)


class ProcrastinateWorkers:
    """Runs the jobs of a Postgres database, together with any number of other processes."""

    def __init__(self, url: str, *, concurrency: int = CONCURRENCY) -> None:
        """`concurrency`: jobs of each kind at once."""
        self._url = url
        self._concurrency = concurrency

    def wake(self) -> None:
        """Nothing: the commit of a job notifies the workers of all processes."""

    def lease_lookup(self, _request_id: str, _team_id: int) -> None:
        """Nothing: procrastinate's workers fetch all jobs."""

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then wait for the running jobs, and release the rest."""
        connector = RetryingConnector()
        workers = self._workers(service, connector)
        limiter = service.source_limiter
        async with (
            self._connected(connector),
            run_alongside(partial(limiter.keep, service.database, service.clock)),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._sweep, service, workers)
            for worker in workers:
                tasks.start_soon(self._keep_working, worker, connector)
            try:
                await anyio.sleep_forever()
            finally:
                service.shutdown.begin()

    def _workers(self, service: ServiceContext, connector: RetryingConnector) -> Sequence[_Worker]:
        lookups, deliveries = Capacity(self._concurrency), Capacity(self._concurrency)
        look_up, deliver = JobKind.LOOK_UP.value, JobKind.DELIVER.value
        by_source = {
            source: SourceJobManager(connector, source, lookups, service)
            for source in service.source_limiter.limits
        }
        service.source_limiter.on_release = lambda source: by_source[source].wake()
        return [
            _Worker(JobKind.LOOK_UP, service, TrackingJobManager(connector, look_up, lookups)),
            _Worker(JobKind.DELIVER, service, TrackingJobManager(connector, deliver, deliveries)),
            *(
                _Worker(JobKind.LOOK_UP, service, manager, source)
                for source, manager in by_source.items()
            ),
        ]

    @asynccontextmanager
    async def _connected(self, connector: RetryingConnector) -> AsyncIterator[None]:
        pool = AsyncConnectionPool(
            self._url,
            kwargs=NETWORK | {"application_name": "mcp-enrichment-queue"},
            min_size=1,
            max_size=CONNECTIONS,
            # Short, in seconds: the connector repeats what fails.
            timeout=2.0,
            reconnect_timeout=1.0,
            # Connections are not checked before use, for the same reason.
            configure=_use_autocommit,
            open=False,
        )
        await pool.open()
        try:
            await connector.open_async(pool)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await pool.close(timeout=1.0)

    async def _keep_working(self, worker: _Worker, connector: RetryingConnector) -> None:
        while True:
            working = asyncio.create_task(self._work(worker))
            try:
                await asyncio.wait([working])
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    worker.manager.leave()
                    connector.give_up()
                    await self._end(working, worker)
                raise
            logger.error("the worker of %s jobs ended; it is started again", worker.manager.queue)
            await anyio.sleep(POLL)

    async def _end(self, working: asyncio.Task[None], worker: _Worker) -> None:
        working.cancel()
        async with run_alongside(worker.keep_heartbeat):
            await asyncio.wait([working], timeout=worker.grace + RELEASE_SECONDS)

    async def _work(self, worker: _Worker) -> None:
        try:
            await worker.app.run_worker_async(
                queues=[worker.manager.queue],
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL,
                abort_job_polling_interval=DELETE_WORKER_AFTER,  # nobody aborts a job
                shutdown_graceful_timeout=worker.grace,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DELETE_WORKER_AFTER,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        except ConnectorException as error:
            logger.warning("the queue cannot be reached: %s", type(error.__cause__).__name__)

    async def _sweep(self, service: ServiceContext, workers: Sequence[_Worker]) -> None:
        """Requeue the jobs of dead workers, of lost fetches, and of sources without a limit."""
        was_up, limited = False, service.source_limiter.limits.keys()

        async def sweep() -> None:
            nonlocal was_up
            # During an outage no worker has a heartbeat: each gets time for one after it.
            may_requeue, was_up = was_up, False
            write = service.database.write
            if may_requeue:
                requeue = procrastinate_queue.requeue_jobs_of_dead_workers
                await write(partial(requeue, silent=WORKER_TIMEOUT))
            await write(lambda c: procrastinate_queue.release_unlimited(c, limited))
            for worker in workers:
                await worker.requeue_strays()
            was_up = True

        await repeat(SWEEP, sweep, logger, "no job can be requeued")


async def _use_autocommit(connection: AsyncConnection) -> None:
    # procrastinate executes single statements: a transaction would add two round trips to each.
    await connection.set_autocommit(True)


class _Worker:
    """The procrastinate worker of one queue."""

    def __init__(
        self,
        kind: JobKind,
        service: ServiceContext,
        manager: TrackingJobManager,
        source: str | None = None,
    ) -> None:
        """`source`: the source at which its lookups got their slots with the fetch."""
        self.manager = manager
        self.grace = service.shutdown.seconds
        """For running jobs at the end of the process; the rest is released."""
        self._kind = kind
        self._service = service
        self._source = source
        self._strays: set[int] = set()
        self.app = App(connector=manager.connector)
        self.app.job_manager = manager
        self.app.task(name=kind.value, pass_context=True, retry=_RetryAlways())(self._run)

    async def keep_heartbeat(self) -> None:
        """Send heartbeats while the last jobs are waited for: procrastinate sends none then."""
        while True:
            await anyio.sleep(HEARTBEAT)
            if worker_id := self.manager.worker_id:
                with suppress(ConnectorException):  # the connector has given up
                    await self.manager.update_heartbeat(worker_id)

    async def requeue_strays(self) -> None:
        """Requeue jobs that the database assigns to this worker and that the worker does not know:
        the answer to their fetch was lost. A job is requeued when it is found a second time, as its
        fetch may still be under way the first time."""
        database, worker_id = self._service.database, self.manager.worker_id
        if worker_id is None:
            return
        claimed = await database.read(lambda c: procrastinate_queue.claimed_by(c, worker_id))
        unknown = claimed - self.manager.at_work.keys()
        if strays := unknown & self._strays:
            await database.write(lambda c: procrastinate_queue.requeue(c, worker_id, strays))
        self._strays = unknown - strays

    async def _run(self, context: JobContext, /, *, target_id: str, team_id: int, **_: Any) -> None:
        """procrastinate's task. Raises `_Rescheduled` for a job that is not done."""
        job = Job(
            kind=self._kind,
            target_id=target_id,
            team_id=team_id,
            attempts=context.job.attempts + 1,
            slot_at=self._source,
            engine_id=context.job.id,
            delete_done=self.manager.delete_done,
        )
        again: _Rescheduled | None = None

        async def work() -> None:
            nonlocal again
            again = await self._handle(job)

        # A shutdown cancels this task, and would not wait for a thread in a transaction: so the
        # job has a task of its own.
        try:
            with self._service.shutdown.job() as scope:
                async with anyio.create_task_group() as alone:
                    alone.start_soon(work)
        except anyio.get_cancelled_exc_class():
            self.manager.mark_released(context.job.id)
            raise
        if scope.cancelled_caught:
            self.manager.mark_released(context.job.id)
            again = _Rescheduled(0.0)
        if again is not None:
            raise again

    async def _handle(self, job: Job) -> _Rescheduled | None:
        try:
            again = await run_job(self._service, job)
        except StorageFailed as failure:
            logger.warning("job %s of %s stopped: %s", job.kind, job.target_id, failure.fault)
            return _Rescheduled(OUTAGE_BACKOFF)
        if again is None:
            return None
        if again.waits_for:
            queue = procrastinate_queue.queue_of_source(again.waits_for)
            self.manager.mark_released(job.engine_id, to=queue)
            return _Rescheduled(0.0)
        return _Rescheduled(again.seconds, await self._priority(job))

    async def _priority(self, job: Job) -> int | None:
        """A rescheduled lookup is queued anew behind its team's; a callback has no priority."""
        if job.kind is not JobKind.LOOK_UP:
            return None
        return await self._service.database.read(
            lambda c: procrastinate_queue.fair_priority(c, job.target_id)
        )
