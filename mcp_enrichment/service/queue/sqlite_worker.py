"""The embedded engine: claims jobs with leases and calls them. It knows nothing of what they do."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.background import run_alongside
from mcp_enrichment.service.queue.handlers import run_job
from mcp_enrichment.service.queue.sqlite_queue import JobKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.lookup_job import Reschedule
    from mcp_enrichment.service.queue.sqlite_queue import Job

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which a job of a process that died may be taken over."""
CONCURRENCY = 16
"""Jobs of each kind that one process works on at once: callbacks that hang hold up no lookup."""
WAITING = 100
"""Lookups beside these, at most, that only wait for their turn at a source: a source that is full
holds up none that another one answers."""
DELIVERIES_PER_TEAM = 4
"""Of these: a team whose receivers hang holds up no other team's callbacks."""
RELEASE_SECONDS = 1.5
"""Until the process ends without; its leases then run out by themselves."""
POLL_EVERY = 1.0
"""Seconds between two looks for jobs that another process has left, or left behind."""


class SQLiteWorker:
    """Works on a database's jobs, together with any other process that does."""

    def __init__(self, *, lease: float = LEASE, concurrency: int = CONCURRENCY) -> None:
        self._owner = secrets.token_hex(8)
        self._lease = lease
        self._concurrency = concurrency
        self._at_work: set[Job] = set()
        self._taken_off: set[Job] = set()
        self._served: dict[int, None] = {}
        """Teams whose lookups were claimed here, the one whose turn is longest ago first."""
        self._stir = anyio.Event()

    def wake(self) -> None:
        """Look for jobs now. Callable from the event loop only."""
        self._stir.set()

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then give back at once what is unfinished and not spared."""
        service.source_limiter.slots.limit(self._concurrency)
        upkeep = (partial(one, service) for one in (self._keep_leases, service.source_limiter.keep))
        try:
            async with run_alongside(*upkeep), anyio.create_task_group() as tasks:
                try:
                    await self._start_jobs(service, tasks)
                finally:
                    service.shutdown.begin()
        finally:
            with anyio.move_on_after(RELEASE_SECONDS, shield=True):
                await self._give_back(service)

    async def _start_jobs(self, service: ServiceContext, tasks: TaskGroup) -> None:
        while True:
            pause = await self._start_due(service, tasks)
            with anyio.move_on_after(pause):
                await self._stir.wait()

    async def _start_due(self, service: ServiceContext, tasks: TaskGroup) -> float:
        """Start what is due and may be started; the seconds until there can be more to start."""
        self._stir = anyio.Event()
        with log_and_continue(logger, "no job can be claimed"):
            now = service.clock()
            for job in await self._claim(service, now):
                self._at_work.add(job)
                tasks.start_soon(self._work, service, job)
            # What is due and was left waits for room: whatever makes room wakes this process.
            due = await service.database.read(partial(sqlite_queue.next_run_at, after=now))
            return POLL_EVERY if due is None else min(max(due - service.clock(), 0.0), POLL_EVERY)
        return POLL_EVERY

    async def _claim(self, service: ServiceContext, now: float) -> Sequence[Job]:
        lookups, deliveries = (self._count(kind) for kind in (JobKind.LOOK_UP, JobKind.DELIVER))
        lease = sqlite_queue.Lease(owner=self._owner, now=now, until=now + self._lease)
        at_most = self._concurrency + min(service.source_limiter.waiting, WAITING)
        look_up = partial(
            sqlite_queue.claim_fairly,
            lease=lease,
            kind=JobKind.LOOK_UP,
            limit=at_most - lookups.total(),
            share=at_most,
            at_work=lookups,
            served=list(self._served),
        )
        deliver = partial(
            sqlite_queue.claim_fairly,
            lease=lease,
            kind=JobKind.DELIVER,
            limit=self._concurrency - deliveries.total(),
            share=DELIVERIES_PER_TEAM,
            at_work=deliveries,
        )
        claimed = await service.database.write(lambda c: [*look_up(c), *deliver(c)])
        self._note_served(claimed)
        return [replace(job, delete_done=self._take_off) for job in claimed]

    def _note_served(self, claimed: Sequence[Job]) -> None:
        for job in claimed:
            if job.kind is JobKind.LOOK_UP:
                self._served.pop(job.team_id, None)
                self._served[job.team_id] = None

    def _take_off(self, connection: Any, done: Sequence[Job]) -> None:
        sqlite_queue.finish(connection, self._owner, done)
        self._taken_off.update(done)

    def _count(self, kind: JobKind) -> Counter[int]:
        """How many jobs of a kind are at work, by team."""
        return Counter(job.team_id for job in self._at_work if job.kind is kind)

    async def _work(self, service: ServiceContext, job: Job) -> None:
        try:
            # Where it is stopped nobody renews its lease: that runs out, and it is claimed again.
            what = f"job {job.kind} of {job.target_id} stopped"
            with service.shutdown.job(), log_and_continue(logger, what):
                await self._settle(service, job, await run_job(service, job))
        finally:
            self._at_work.remove(job)
            self._taken_off.discard(job)
            self.wake()

    async def _settle(self, service: ServiceContext, job: Job, again: Reschedule | None) -> None:
        if again:
            run_at = service.clock() + again.seconds
            await service.database.write(
                lambda c: sqlite_queue.reschedule(c, self._owner, job, run_at=run_at)
            )
        elif job not in self._taken_off:
            await service.database.write(lambda c: sqlite_queue.finish(c, self._owner, [job]))

    async def _keep_leases(self, service: ServiceContext) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            if not self._at_work:
                continue
            held, until = list(self._at_work), service.clock() + self._lease
            renewed = partial(sqlite_queue.renew, owner=self._owner, held=held, until=until)
            with log_and_continue(logger, "the leases cannot be renewed"):
                await service.database.write(renewed)

    async def _give_back(self, service: ServiceContext) -> None:
        with log_and_continue(logger, "the leases cannot be given back"):
            await service.database.write(lambda c: sqlite_queue.release(c, self._owner))
