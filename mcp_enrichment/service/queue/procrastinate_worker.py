"""The engine of a fleet: procrastinate on Postgres, which calls the same two jobs.

It gives the queue, the waking by LISTEN/NOTIFY, the workers' heartbeats and the counts of tries.
Each process has a worker for each kind of job: callbacks that hang hold up no lookup. Nor do those
lookups that wait for their turn at a source: they stand in a queue of their own, with its worker.
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

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.db.postgres import NETWORK
from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue.background import run_alongside
from mcp_enrichment.service.queue.handlers import run_job
from mcp_enrichment.service.queue.procrastinate_adapter import RetryingConnector, TrackingJobManager
from mcp_enrichment.service.queue.sqlite_queue import Job, JobKind
from mcp_enrichment.service.queue.sqlite_worker import CONCURRENCY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from procrastinate import jobs
    from psycopg import AsyncConnection

    from mcp_enrichment.service.context import ServiceContext

logger = logging.getLogger(__name__)

HEARTBEAT = 4.0
"""Seconds between two signs of life of a worker."""
WORKER_TIMEOUT = 16.0
"""Seconds without one after which a worker counts as dead, and its jobs are taken over."""
SWEEP = 4.0
"""Seconds between two looks for such jobs. With `SILENT` and a poll: 21 seconds at most."""
STALLED_WORKER_TIMEOUT = 3600.0
"""Seconds after which the name of a dead worker is struck off."""
POLL = 1.0
"""Seconds between two looks for jobs of which nobody is told: those put off until now."""
RELEASE_SECONDS = 4.0
"""Seconds more at most in which the database is told what is given back."""
OUTAGE_BACKOFF = 1.0
"""Seconds until a job that the database stopped is run again."""
CONNECTIONS = 4
"""Of the queue, in each process, beside those that listen."""


class _Rescheduled(Exception):
    def __init__(self, seconds: float, priority: int | None = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.priority = priority


class _RetryAlways(BaseRetryStrategy):
    """What was put off comes again at its time, and stands in no line; what a shutdown stopped, at
    once, elsewhere."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision:
        off = exception if isinstance(exception, _Rescheduled) else _Rescheduled(0.0)
        run_at = datetime.now(UTC) + timedelta(seconds=off.seconds)
        return RetryDecision(retry_at=run_at, priority=off.priority, queue=job.task_name)


class ProcrastinateWorkers:
    """Works on the jobs of a Postgres, together with any number of other processes."""

    def __init__(self, url: str, *, concurrency: int = CONCURRENCY) -> None:
        """`concurrency`: jobs of each kind at once."""
        self._url = url
        self._concurrency = concurrency

    def wake(self) -> None:
        """Nothing: the commit of a job wakes the workers, in whichever process they are."""

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then wait for what is under way, and give back what is left."""
        connector = RetryingConnector()
        service.source_limiter.slots.limit(self._concurrency)
        at_once = self._concurrency
        new = partial(_Worker, service=service, connector=connector, concurrency=at_once)
        workers = [new(kind) for kind in JobKind]
        workers += [
            new(JobKind.LOOK_UP, line_at=source) for source in service.source_limiter.sources
        ]
        async with (
            self._connected(connector),
            run_alongside(partial(service.source_limiter.keep, service)),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._sweep, service, workers)
            for worker in workers:
                tasks.start_soon(self._keep_working, worker, connector)
            try:
                await anyio.sleep_forever()
            finally:
                service.shutdown.begin()

    @asynccontextmanager
    async def _connected(self, connector: RetryingConnector) -> AsyncIterator[None]:
        pool = AsyncConnectionPool(
            self._url,
            kwargs=NETWORK | {"application_name": "mcp-enrichment-queue"},
            min_size=1,
            max_size=CONNECTIONS,
            # Both in seconds, and short: the connector is patient, and the pool need not be.
            timeout=2.0,
            reconnect_timeout=1.0,
            # Nor is a connection asked whether it lives before it is used: who is told that it does
            # not says the statement again.
            configure=_each_statement_alone,
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
                    worker.leave()
                    connector.give_up()
                    await self._end(working, worker)
                raise
            logger.error("the worker of %s jobs ended; it is started again", worker.queue)
            await anyio.sleep(POLL)

    async def _end(self, working: asyncio.Task[None], worker: _Worker) -> None:
        working.cancel()
        async with run_alongside(worker.give_signs_of_life):
            await asyncio.wait([working], timeout=worker.grace + RELEASE_SECONDS)

    async def _work(self, worker: _Worker) -> None:
        try:
            await worker.app.run_worker_async(
                queues=[worker.queue],
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL,
                abort_job_polling_interval=STALLED_WORKER_TIMEOUT,  # nobody aborts a job
                shutdown_graceful_timeout=worker.grace,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=STALLED_WORKER_TIMEOUT,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        except ConnectorException as error:
            logger.warning("the queue is out of reach: %s", type(error.__cause__).__name__)

    async def _sweep(self, service: ServiceContext, workers: Sequence[_Worker]) -> None:
        was_well = False
        while True:
            await anyio.sleep(SWEEP)
            # Where the database was away all workers were silent: each has its time to be heard
            # again.
            may_take_over, was_well = was_well, False
            with log_and_continue(logger, "no job can be taken over"):
                if may_take_over:
                    await service.database.write(
                        lambda c: procrastinate_queue.requeue_stalled(c, silent=WORKER_TIMEOUT)
                    )
                await service.database.write(
                    lambda c: procrastinate_queue.release_unlimited(
                        c, service.source_limiter.sources
                    )
                )
                for worker in workers:
                    await worker.put_back_strays()
                was_well = True


async def _each_statement_alone(connection: AsyncConnection) -> None:
    # Each of procrastinate's is one: a transaction around it would be two more ways to the server.
    await connection.set_autocommit(True)


class _Worker:
    """The procrastinate worker of one kind of job."""

    def __init__(
        self,
        kind: JobKind,
        service: ServiceContext,
        connector: RetryingConnector,
        concurrency: int,
        line_at: str = "",
    ) -> None:
        self.kind = kind
        self.queue = procrastinate_queue.queue_of_source(line_at) if line_at else kind.value
        self.app = App(connector=connector)
        self._may_wait = bool(line_at)
        self.app.job_manager = self._taken = TrackingJobManager(
            connector, self.queue, service.source_limiter, concurrency=concurrency, line_at=line_at
        )
        self.leave = self._taken.leave
        self._service = service
        self.grace = service.shutdown.seconds
        """For jobs under way when the process is told to end; the rest is given back."""
        self._strays: set[int] = set()
        self.app.task(name=kind.value, pass_context=True, retry=_RetryAlways())(self._do)

    async def give_signs_of_life(self) -> None:
        """As long as jobs are waited for: procrastinate gives none then."""
        while True:
            await anyio.sleep(HEARTBEAT)
            if worker_id := self._taken.worker_id:
                with suppress(ConnectorException):  # it has given up: nobody can be told now
                    await self._taken.update_heartbeat(worker_id)

    async def put_back_strays(self) -> None:
        """Put back jobs that the database says this worker has and it does not, as after a fetch
        whose answer was lost. Only what is seen so twice: once may be on its way."""
        database, worker_id = self._service.database, self._taken.worker_id
        if worker_id is None:
            return
        held = await database.read(lambda c: procrastinate_queue.claimed_by(c, worker_id))
        unknown = held - self._taken.at_work.keys()
        if strays := unknown & self._strays:
            await database.write(lambda c: procrastinate_queue.requeue(c, worker_id, strays))
        self._strays = unknown - strays

    async def _do(self, context: JobContext, /, *, target_id: str, team_id: int, **_: Any) -> None:
        job = Job(
            kind=self.kind,
            target_id=target_id,
            team_id=team_id,
            attempts=context.job.attempts + 1,
            has_begun=True,
            may_wait=self._may_wait,
            number=context.job.id,
            delete_done=self._taken.delete_done,
        )
        off: _Rescheduled | None = None

        async def work() -> None:
            nonlocal off
            off = await self._put_off(job)

        # In a task of its own: a shutdown cancels this one, and would not wait for the thread that
        # is in the midst of a transaction.
        try:
            with self._service.shutdown.job() as scope:
                async with anyio.create_task_group() as alone:
                    alone.start_soon(work)
        except anyio.get_cancelled_exc_class():
            self._taken.mark_released(context.job.id)
            raise
        if scope.cancelled_caught:
            self._taken.mark_released(context.job.id)
            off = _Rescheduled(0.0)
        if off is not None:
            raise off

    async def _put_off(self, job: Job) -> _Rescheduled | None:
        """Do the job; until when it is put off where it is not done."""
        try:
            again = await run_job(self._service, job)
            if again and again.full_source:
                self._taken.mark_released(
                    job.number, to=procrastinate_queue.queue_of_source(again.full_source)
                )
                return _Rescheduled(0.0)
            return _Rescheduled(again.seconds, await self._place(job)) if again else None
        except StorageFailed as failure:
            logger.warning("job %s of %s stopped: %s", job.kind, job.target_id, failure.fault)
            return _Rescheduled(OUTAGE_BACKOFF)
        finally:
            self._service.source_limiter.gone(job.target_id)

    async def _place(self, job: Job) -> int | None:
        """A lookup that is put off takes its turn anew; callbacks have no turns."""
        if job.kind is not JobKind.LOOK_UP:
            return None
        return await self._service.database.read(
            lambda c: procrastinate_queue.fair_priority(c, job.target_id)
        )
