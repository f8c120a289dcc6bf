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
from mcp_enrichment.service.lookup import source_limiter, source_slots
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.background import repeat, run_alongside
from mcp_enrichment.service.queue.handlers import run_job
from mcp_enrichment.service.queue.job import CONCURRENCY, DELIVERIES_PER_TEAM, Job, JobKind
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.job import Reschedule

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
        self._left_due = False
        """Whether the last claim left due jobs: the end of a job makes room for them."""
        self._running: tuple[ServiceContext, TaskGroup] | None = None

    def wake(self) -> None:
        """Look for jobs now. Call it from the event loop only."""
        self._wake.set()

    def lease_lookup(self, request_id: str, team_id: int) -> LeasedLookup | None:
        """Lease the lookup of a new request to this process, if it has room and no other is due:
        then the job need not be claimed."""
        is_full = self._count(JobKind.LOOK_UP).total() >= self._concurrency
        if self._running is None or self._others_wait or is_full:
            self._others_wait = True  # this one is queued: the next ones go behind it
            return None
        job = Job(
            kind=JobKind.LOOK_UP,
            target_id=request_id,
            team_id=team_id,
            has_begun=True,
            delete_done=self._delete_done,
        )
        self._note_claimed([job])
        service, _ = self._running
        return LeasedLookup(self, job, lambda: self._lease_at(service.clock()))

    def begin(self, job: Job) -> None:
        """Begin a job that is leased to this process. At the end of the process it is released."""
        if self._running is None:
            self._at_work.discard(job)
        else:
            service, tasks = self._running
            tasks.start_soon(self._work, service, job)

    def withdraw(self, job: Job) -> None:
        """Give the room of a job back that was not stored."""
        if self._makes_room(job):
            self.wake()
        self._at_work.discard(job)

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then release what is unfinished and not protected."""
        limiter = service.source_limiter
        limiter.on_release = lambda _source: self.wake()
        loops = (
            partial(
                repeat,
                self._lease / 3,
                partial(self._renew_and_release, service),
                logger,
                "no lease is renewed",
            ),
            partial(limiter.keep, service.database, service.clock),
        )
        with log_and_continue(logger, "no lookup is released"):
            await self._renew_and_release(service)
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
            now = service.clock()
            claimed, pause = await self._claim(service, now)
            self._note_claimed(claimed)
            for job in claimed:
                if job.slot_at:
                    service.source_limiter.note_held(job.slot_at, job.target_id)
                self.begin(job)
            # Due jobs that were left wait for capacity: the end of a job wakes this process.
            return min(pause, POLL_EVERY)
        return POLL_EVERY

    async def _claim(self, service: ServiceContext, now: float) -> tuple[Sequence[Job], float]:
        """Claim jobs, and set the requests of lookups to `processing`, in one transaction; and the
        seconds until there may be more."""
        deliver = partial(
            sqlite_queue.claim_fairly,
            lease=self._lease_at(now),
            kind=JobKind.DELIVER,
            limit=self._concurrency - self._count(JobKind.DELIVER).total(),
            share=DELIVERIES_PER_TEAM,
            at_work=self._count(JobKind.DELIVER),
        )

        look_up = partial(
            self._claim_lookups,
            service=service,
            now=now,
            at_work=self._count(JobKind.LOOK_UP),
            served=list(self._served),
        )

        def claim(connection: Connection) -> tuple[list[Job], float, bool]:
            lookups, pause, others_wait = look_up(connection)
            if lookups:
                request_table.start(connection, [job.target_id for job in lookups])
            jobs = [replace(job, has_begun=True) for job in lookups] + [*deliver(connection)]
            self._left_due = sqlite_queue.is_any_due(connection, now=now)
            due = sqlite_queue.next_run_at(connection, after=now)
            pause = min(pause, math.inf if due is None else max(due - service.clock(), 0.0))
            return jobs, pause, others_wait

        self._others_wait = True  # meanwhile the claim has all the room there is
        claimed, pause, self._others_wait = await service.database.write(claim)
        return [replace(job, delete_done=self._delete_done) for job in claimed], pause

    def _claim_lookups(
        self,
        connection: Connection,
        service: ServiceContext,
        now: float,
        at_work: Counter[int],
        served: list[int],
    ) -> tuple[list[Job], float, bool]:
        """Lookups that wait for a source's free slot, then others; the seconds until a slot may be
        free for those that still wait; and whether more may be due than there is room for."""
        limits = service.source_limiter.limits
        claimed: list[Job] = []
        pause = math.inf

        def claim(limit: int, waits_for: str | None = None) -> list[Job]:
            found = sqlite_queue.claim_fairly(
                connection,
                self._lease_at(now),
                JobKind.LOOK_UP,
                limit=limit,
                share=self._concurrency,
                at_work=at_work,
                served=served,
                waits_for=waits_for,
            )
            at_work.update(job.team_id for job in found)
            served.extend(job.team_id for job in found)
            return [*found]

        for source, limit in limits.items():
            if not sqlite_queue.has_waiting(connection, source):
                continue
            jobs, wait = source_slots.hand_out(
                connection,
                source,
                limit,
                lambda source=source: next(iter(claim(1, source)), None),  # type: ignore[misc]
                most=self._concurrency - at_work.total(),
                now=now,
                lease=source_limiter.LEASE,
            )
            claimed += jobs
            pause = pause if wait is None else min(pause, wait)
        room = self._concurrency - at_work.total()
        others = claim(room)
        return [*claimed, *others], pause, len(others) >= room

    def _note_claimed(self, claimed: Sequence[Job]) -> None:
        self._at_work.update(claimed)
        for job in claimed:
            if job.kind is JobKind.LOOK_UP:
                self._served.pop(job.team_id, None)
                self._served[job.team_id] = None

    def _lease_at(self, now: float) -> sqlite_queue.Lease:
        return sqlite_queue.Lease(owner=self._owner, now=now, until=now + self._lease)

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
            if again or self._left_due or self._makes_room(job):
                self.wake()
            self._at_work.remove(job)
            self._deleted.discard(job)

    def _makes_room(self, job: Job) -> bool:
        at_work = self._count(job.kind)
        share = DELIVERIES_PER_TEAM if job.kind is JobKind.DELIVER else self._concurrency
        return at_work.total() >= self._concurrency or at_work[job.team_id] >= share

    async def _settle(self, service: ServiceContext, job: Job, again: Reschedule | None) -> None:
        settle: Callable[[Connection], None] | None = None
        if again and again.waits_for:
            settle = partial(
                sqlite_queue.wait_for, owner=self._owner, job=job, source=again.waits_for
            )
        elif again:
            run_at = service.clock() + again.seconds
            settle = partial(sqlite_queue.reschedule, owner=self._owner, job=job, run_at=run_at)
        elif job not in self._deleted:
            settle = partial(sqlite_queue.finish, owner=self._owner, done=[job])
        if settle:
            await service.database.write(settle)

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


@dataclass(frozen=True, slots=True)
class LeasedLookup:
    """The lookup of a new request, leased to this process with its job."""

    worker: SQLiteWorker
    job: Job
    lease_now: Callable[[], sqlite_queue.Lease]
    status = Status.PROCESSING

    def enqueue(self, connection: Connection, *, at: float) -> None:
        sqlite_queue.enqueue_leased(connection, self.lease_now(), self.job, at=at)

    def begin(self) -> None:
        self.worker.begin(self.job)

    def withdraw(self) -> None:
        self.worker.withdraw(self.job)
