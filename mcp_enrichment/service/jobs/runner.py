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
from mcp_enrichment.service.jobs.upkeep import kept_up
from mcp_enrichment.service.jobs.work import run_job
from mcp_enrichment.service.store import jobs
from mcp_enrichment.service.store.jobs import JobKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from mcp_enrichment.service.domain.lookup import Again
    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.jobs import Job

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which a job of a process that died may be taken over."""
CONCURRENCY = 16
"""Jobs of each kind that one process works on at once: callbacks that hang hold up no lookup."""
WAITING = 100
"""Lookups beside these, at most, that only wait for their turn at a source: a source that is full
holds up none that another one answers."""
DELIVERIES_OF_A_TEAM = 4
"""Of these: a team whose receivers hang holds up no other team's callbacks."""
GIVE_BACK_SECONDS = 1.5
"""Until the process ends without; its leases then run out by themselves."""
IDLE = 1.0
"""Seconds between two looks for jobs that another process has left, or left behind."""


class Runner:
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

    async def run(self, service: Service) -> None:
        """Work until cancelled; then give back at once what is unfinished and not spared."""
        service.turns.slots.limit(self._concurrency)
        upkeep = (partial(one, service) for one in (self._keep_leases, service.turns.keep))
        try:
            async with kept_up(*upkeep), anyio.create_task_group() as tasks:
                try:
                    await self._start_jobs(service, tasks)
                finally:
                    service.stopping.begin()
        finally:
            with anyio.move_on_after(GIVE_BACK_SECONDS, shield=True):
                await self._give_back(service)

    async def _start_jobs(self, service: Service, tasks: TaskGroup) -> None:
        while True:
            pause = await self._start_due(service, tasks)
            with anyio.move_on_after(pause):
                await self._stir.wait()

    async def _start_due(self, service: Service, tasks: TaskGroup) -> float:
        """Start what is due and may be started; the seconds until there can be more to start."""
        self._stir = anyio.Event()
        with log_and_continue(logger, "no job can be claimed"):
            now = service.clock()
            for job in await self._claim(service, now):
                self._at_work.add(job)
                tasks.start_soon(self._work, service, job)
            # What is due and was left waits for room: whatever makes room wakes this process.
            due = await service.database.read(partial(jobs.next_due, after=now))
            return IDLE if due is None else min(max(due - service.clock(), 0.0), IDLE)
        return IDLE

    async def _claim(self, service: Service, now: float) -> Sequence[Job]:
        lookups, deliveries = (self._count(kind) for kind in (JobKind.LOOK_UP, JobKind.DELIVER))
        lease = jobs.Lease(owner=self._owner, now=now, until=now + self._lease)
        at_most = self._concurrency + min(service.turns.waiting, WAITING)
        look_up = partial(
            jobs.claim_fairly,
            lease=lease,
            kind=JobKind.LOOK_UP,
            limit=at_most - lookups.total(),
            share=at_most,
            at_work=lookups,
            served=list(self._served),
        )
        deliver = partial(
            jobs.claim_fairly,
            lease=lease,
            kind=JobKind.DELIVER,
            limit=self._concurrency - deliveries.total(),
            share=DELIVERIES_OF_A_TEAM,
            at_work=deliveries,
        )
        claimed = await service.database.write(lambda c: [*look_up(c), *deliver(c)])
        self._note_served(claimed)
        return [replace(job, take_off=self._take_off) for job in claimed]

    def _note_served(self, claimed: Sequence[Job]) -> None:
        for job in claimed:
            if job.kind is JobKind.LOOK_UP:
                self._served.pop(job.team_id, None)
                self._served[job.team_id] = None

    def _take_off(self, connection: Any, done: Sequence[Job]) -> None:
        jobs.finish(connection, self._owner, done)
        self._taken_off.update(done)

    def _count(self, kind: JobKind) -> Counter[int]:
        """How many jobs of a kind are at work, by team."""
        return Counter(job.team_id for job in self._at_work if job.kind is kind)

    async def _work(self, service: Service, job: Job) -> None:
        try:
            # Where it is stopped nobody renews its lease: that runs out, and it is claimed again.
            what = f"job {job.kind} of {job.subject} stopped"
            with service.stopping.job(), log_and_continue(logger, what):
                await self._settle(service, job, await run_job(service, job))
        finally:
            self._at_work.remove(job)
            self._taken_off.discard(job)
            self.wake()

    async def _settle(self, service: Service, job: Job, again: Again | None) -> None:
        if again:
            due_at = service.clock() + again.seconds
            await service.database.write(lambda c: jobs.put_off(c, self._owner, job, due_at=due_at))
        elif job not in self._taken_off:
            await service.database.write(lambda c: jobs.finish(c, self._owner, [job]))

    async def _keep_leases(self, service: Service) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            if not self._at_work:
                continue
            held, until = list(self._at_work), service.clock() + self._lease
            renewed = partial(jobs.renew, owner=self._owner, held=held, until=until)
            with log_and_continue(logger, "the leases cannot be renewed"):
                await service.database.write(renewed)

    async def _give_back(self, service: Service) -> None:
        with log_and_continue(logger, "the leases cannot be given back"):
            await service.database.write(lambda c: jobs.give_back(c, self._owner))
