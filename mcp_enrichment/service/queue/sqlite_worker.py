"""The job engine on SQLite: claims jobs with leases and calls their handlers."""

from __future__ import annotations

import logging
import math
import secrets
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Status
from mcp_enrichment.service.lookup import lookup_job, source_limiter, source_slots
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.background import repeat, run_alongside
from mcp_enrichment.service.queue.handlers import begin_claimed, run_job
from mcp_enrichment.service.queue.job import CONCURRENCY, DELIVERIES_PER_TEAM, Job, JobKind
from mcp_enrichment.service.queue.sqlite_queue import Lease, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
    from mcp_enrichment.service.queue.job import Reschedule
    from mcp_enrichment.service.requests.request_table import Request

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which a job of a process that died may be taken over."""
RELEASE_SECONDS = 1.5
"""The most that releasing jobs may take at the end of the process; later their leases expire."""
POLL_EVERY = 1.0
"""Seconds between two polls for jobs that another process has added or left."""


class SQLiteWorker:
    """Runs a database's jobs, together with any other process that does."""

    def __init__(self, *, lease: float = LEASE, concurrency: int = CONCURRENCY) -> None:
        self._owner = secrets.token_hex(8)
        self._lease = lease
        self._concurrency = concurrency
        self._at_work: set[Job] = set()
        self._deleted: set[Job] = set()
        self._served: dict[int, None] = {}
        """Teams whose lookups were claimed here, the least recent first."""
        self._wake = anyio.Event()
        self._others_wait = True
        """Whether unclaimed lookups may be due. A new one is then queued behind them."""
        self._left_due = True
        """Whether due jobs may be left that no claim has taken. A job that ends makes room for
        them."""
        self._running: tuple[ServiceContext, TaskGroup] | None = None

    def wake(self) -> None:
        """Look for jobs now. Call it from the event loop only."""
        self._wake.set()

    def lease_lookup(self, request_id: str, team_id: int) -> LeasedLookup | None:
        """Lease the lookup of a new request to this process, if it has room and no other lookup is
        due. Such a job need not be claimed."""
        if (
            self._running is None
            or self._others_wait
            or self._count(JobKind.LOOK_UP).total() >= self._concurrency
        ):
            self._others_wait = True  # this one is queued: the next ones go behind it
            return None
        job = Job(
            kind=JobKind.LOOK_UP,
            target_id=request_id,
            team_id=team_id,
            delete_done=self._delete_done,
        )
        self._note_claimed([job])
        service, _ = self._running
        return LeasedLookup(self, service.database.pseudonyms, job)

    def begin(self, job: Job) -> None:
        """Begin a job that is leased to this process. At the end of the process it is released."""
        if self._running is None:
            self._at_work.discard(job)
        else:
            service, tasks = self._running
            tasks.start_soon(self._work, service, job)

    def withdraw(self, job: Job) -> None:
        """Free the room that was reserved for a job that was not stored."""
        self._at_work.discard(job)
        if self._left_due:
            self.wake()

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then release the jobs that are unfinished and not protected."""
        limiter = service.source_limiter
        limiter.on_release = lambda _source: self.wake()
        renew = partial(self._renew_and_release, service)
        loops = (
            partial(repeat, self._lease / 3, renew, logger, "no lease is renewed"),
            partial(limiter.keep, service.database, service.clock),
        )
        with log_and_continue(logger, "no lookup is released"):
            await renew()
        try:
            async with run_alongside(*loops), anyio.create_task_group() as tasks:
                self._running = service, tasks
                try:
                    await self._start_jobs(service)
                finally:
                    self._running = None
                    service.shutdown.begin()
        finally:
            with anyio.move_on_after(RELEASE_SECONDS, shield=True):
                await self._release(service)

    async def _start_jobs(self, service: ServiceContext) -> None:
        pause = await self._start_due(service)
        while True:
            with anyio.move_on_after(pause) as waiting:
                await self._wake.wait()
            # A claim locks the file: an idle process only reads.
            if waiting.cancelled_caught and (pause := await self._seconds_to_due(service)):
                continue
            pause = await self._start_due(service)

    async def _seconds_to_due(self, service: ServiceContext) -> float:
        """0 if a job may be claimed, else the seconds until the next poll."""
        with log_and_continue(logger, "no job can be polled for"):
            due = await service.database.read(lambda c: sqlite_queue.next_run_at(c, after=0.0))
            pause = math.inf if due is None else max(due - service.clock(), 0.0)
            return min(pause, POLL_EVERY)
        return POLL_EVERY

    async def _start_due(self, service: ServiceContext) -> float:
        """Start due jobs; the seconds until there may be more to start."""
        self._wake = anyio.Event()
        with log_and_continue(logger, "no job can be claimed"):
            claimed = await self._claim(service)
            self._note_claimed(claimed.jobs)
            for job in claimed.jobs:
                if job.slot_at:
                    service.source_limiter.note_held(job.slot_at, job.target_id)
                self.begin(job)
            # Due jobs that were left wait for capacity: the end of a job wakes this process.
            return max(min(claimed.next_due - service.clock(), POLL_EVERY), 0.0)
        return POLL_EVERY

    async def _claim(self, service: ServiceContext) -> _Claimed:
        """Claim jobs for which there is room, and begin them in the same transaction."""
        lease = self.lease_at(service.clock())
        looking_up, delivering = self._count(JobKind.LOOK_UP), self._count(JobKind.DELIVER)
        served = list(self._served)

        def claim(connection: Connection) -> _Claimed:
            lookups = Turns(self._concurrency, looking_up, served)
            deliveries = Turns(DELIVERIES_PER_TEAM, delivering)
            room = self._concurrency - deliveries.at_work
            jobs, slot_due = self._claim_lookups(connection, service, lease, lookups)
            jobs += sqlite_queue.claim(connection, lease, JobKind.DELIVER, deliveries, limit=room)
            due = sqlite_queue.next_run_at(connection, after=0.0)
            is_left = due is not None and due <= lease.now
            if is_left:
                due = sqlite_queue.next_run_at(connection, after=lease.now)
            begun = begin_claimed(connection, service, jobs)
            return _Claimed(
                jobs=[replace(job, delete_done=self._delete_done) for job in begun],
                is_full=lookups.at_work >= self._concurrency,
                is_any_left=is_left,
                next_due=min(slot_due, math.inf if due is None else due),
            )

        # Until it is known what the claim leaves.
        self._others_wait = self._left_due = True
        claimed = await service.database.write(claim)
        self._others_wait, self._left_due = claimed.is_full, claimed.is_any_left
        return claimed

    def _claim_lookups(
        self, connection: Connection, service: ServiceContext, lease: Lease, turns: Turns
    ) -> tuple[list[Job], float]:
        """Lookups that wait for a source's free slot, then others; and when a slot may be free for
        those that still wait."""
        claimed: list[Job] = []
        slot_due = math.inf
        for source, limit in service.source_limiter.limits.items():
            if not sqlite_queue.has_waiting(connection, source):
                continue
            jobs, wait = source_slots.hand_out(
                connection,
                source,
                limit,
                partial(_claim_waiting, connection, lease, turns, source),
                most=self._concurrency - turns.at_work,
                now=lease.now,
                lease=source_limiter.LEASE,
            )
            claimed += jobs
            slot_due = slot_due if wait is None else min(slot_due, lease.now + wait)
        room = self._concurrency - turns.at_work
        claimed += sqlite_queue.claim(connection, lease, JobKind.LOOK_UP, turns, limit=room)
        return claimed, slot_due

    def _note_claimed(self, claimed: Sequence[Job]) -> None:
        self._at_work.update(claimed)
        for job in claimed:
            if job.kind is JobKind.LOOK_UP:
                self._served.pop(job.team_id, None)
                self._served[job.team_id] = None

    def lease_at(self, now: float) -> Lease:
        """A lease of this process that begins now."""
        return Lease(owner=self._owner, now=now, until=now + self._lease)

    def _delete_done(self, connection: Any, done: Sequence[Job]) -> None:
        sqlite_queue.finish(connection, self._owner, done)
        self._deleted.update(done)

    def _count(self, kind: JobKind) -> Counter[int]:
        """The number of jobs of a kind under way, by team."""
        return Counter(job.team_id for job in self._at_work if job.kind is kind)

    async def _work(self, service: ServiceContext, job: Job) -> None:
        again: Reschedule | None = None
        try:
            # A stopped job's lease is no longer renewed: it expires, and the job is claimed again.
            what = f"job {job.kind} of {job.target_id} stopped"
            with service.shutdown.job(), log_and_continue(logger, what):
                again = await run_job(service, job)
                await self._settle(service, job, again)
        finally:
            if again or self._left_due:
                self.wake()
            self._at_work.remove(job)
            self._deleted.discard(job)

    async def _settle(self, service: ServiceContext, job: Job, again: Reschedule | None) -> None:
        write, owner = service.database.write, self._owner
        if again is None:
            if job not in self._deleted:
                await write(lambda c: sqlite_queue.finish(c, owner, [job]))
        elif source := again.waits_for:
            await write(lambda c: sqlite_queue.wait_for(c, owner, job, source))
        else:
            run_at = service.clock() + again.seconds
            await write(lambda c: sqlite_queue.reschedule(c, owner, job, run_at=run_at))

    async def _renew_and_release(self, service: ServiceContext) -> None:
        """Renew the leases; and release lookups that wait for a source without a limit."""
        limited = service.source_limiter.limits.keys()
        await service.database.write(lambda c: sqlite_queue.release_unlimited(c, limited))
        if held := list(self._at_work):
            until = service.clock() + self._lease
            renew = partial(sqlite_queue.renew, owner=self._owner, held=held, until=until)
            await service.database.write(renew)

    async def _release(self, service: ServiceContext) -> None:
        with log_and_continue(logger, "the jobs cannot be released"):
            await service.database.write(lambda c: sqlite_queue.release(c, self._owner))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """The result of a claim."""

    jobs: Sequence[Job]
    is_full: bool
    """Whether this process has all the lookups that it may have; more may be due."""
    is_any_left: bool
    """Whether a job is due that was not claimed."""
    next_due: float
    """When the next job becomes due, or may get a slot at a source; infinity: never."""


def _claim_waiting(connection: Connection, lease: Lease, turns: Turns, source: str) -> Job | None:
    """The next lookup that waits for this source."""
    claimed = sqlite_queue.claim(
        connection, lease, JobKind.LOOK_UP, turns, limit=1, waits_for=source
    )
    return claimed[0] if claimed else None


class LeasedLookup:
    """The lookup of a new request, leased to this process with its job."""

    status = Status.PROCESSING

    def __init__(self, worker: SQLiteWorker, pseudonyms: Pseudonyms, job: Job) -> None:
        self._worker = worker
        self._pseudonyms = pseudonyms
        self._job = job

    def enqueue(self, connection: Connection, request: Request) -> None:
        lease = self._worker.lease_at(request.created_at)
        sqlite_queue.enqueue_leased(connection, lease, self._job)
        [running] = lookup_job.begin(connection, self._pseudonyms, [request])
        self._job = replace(self._job, begun=running)

    def begin(self) -> None:
        self._worker.begin(self._job)

    def withdraw(self) -> None:
        self._worker.withdraw(self._job)
