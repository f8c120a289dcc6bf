"""The embedded engine: claims jobs with leases and calls them. It knows nothing of what they do."""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.jobs.work import outcome
from mcp_enrichment.service.store import jobs

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
"""Jobs that one process works on at once."""
IDLE = 1.0
"""Seconds between two looks for jobs that another process has left, or left behind."""


class Runner:
    """Works on a database's jobs, together with any other process that does."""

    def __init__(self, *, lease: float = LEASE, concurrency: int = CONCURRENCY) -> None:
        self._owner = secrets.token_hex(8)
        self._lease = lease
        self._concurrency = concurrency
        self._at_work: set[Job] = set()
        self._stir = anyio.Event()

    def wake(self) -> None:
        """Look for jobs now. Callable from the event loop only."""
        self._stir.set()

    async def run(self, service: Service) -> None:
        """Work until cancelled; then give the unfinished jobs back at once."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_leases, service)
                tasks.start_soon(service.turns.keep, service)
                while True:
                    pause = await self._start_due(service, tasks)
                    with anyio.move_on_after(pause):
                        await self._stir.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._give_back(service)

    async def _start_due(self, service: Service, tasks: TaskGroup) -> float:
        """Start what is due and may be started; the seconds until there can be more to start."""
        self._stir = anyio.Event()
        try:
            for job in await self._claim(service):
                self._at_work.add(job)
                tasks.start_soon(self._work, service, job)
            return await self._until_due(service)
        except StorageFailed as failure:
            logger.warning("no job can be claimed: %s", failure.fault)
            return IDLE

    async def _claim(self, service: Service) -> Sequence[Job]:
        room = self._concurrency - len(self._at_work)
        if not room:
            return ()
        now = service.clock()
        return await service.database.write(
            lambda c: jobs.claim(c, self._owner, limit=room, now=now, until=now + self._lease)
        )

    async def _until_due(self, service: Service) -> float:
        if len(self._at_work) >= self._concurrency:
            return IDLE
        due = await service.database.read(jobs.next_due)
        return IDLE if due is None else min(max(due - service.clock(), 0.0), IDLE)

    async def _work(self, service: Service, job: Job) -> None:
        try:
            await self._settle(service, job, await outcome(service, job))
        except StorageFailed as failure:
            # Nobody renews its lease from now on: it runs out, and the job is claimed again.
            logger.warning("job %s of %s stopped: %s", job.kind, job.subject, failure.fault)
        finally:
            self._at_work.remove(job)
            self.wake()

    async def _settle(self, service: Service, job: Job, again: Again | None) -> None:
        if again is None:
            await service.database.write(lambda c: jobs.finish(c, self._owner, job))
            return
        due_at = service.clock() + again.seconds
        await service.database.write(lambda c: jobs.put_off(c, self._owner, job, due_at=due_at))

    async def _keep_leases(self, service: Service) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            if not self._at_work:
                continue
            held, until = list(self._at_work), service.clock() + self._lease
            renewed = partial(jobs.renew, owner=self._owner, held=held, until=until)
            try:
                await service.database.write(renewed)
            except StorageFailed as failure:
                logger.warning("the leases cannot be renewed: %s", failure.fault)

    async def _give_back(self, service: Service) -> None:
        try:
            await service.database.write(lambda c: jobs.give_back(c, self._owner))
        except StorageFailed as failure:
            logger.warning("the leases cannot be given back: %s", failure.fault)
