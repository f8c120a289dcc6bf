"""The queue of one source on Postgres: lookups that are fetched as the source has free slots."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.lookup import source_limiter, source_slots
from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.queue.procrastinate_adapter import TrackingJobManager

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from procrastinate import jobs
    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.procrastinate_adapter import Capacity, RetryingConnector


class SourceJobManager(TrackingJobManager):
    """Fetches each lookup together with a slot at its source."""

    def __init__(
        self,
        connector: RetryingConnector,
        source: str,
        capacity: Capacity,
        service: ServiceContext,
    ) -> None:
        super().__init__(connector, procrastinate_queue.queue_of_source(source), capacity)
        self._source = source
        self._service = service
        self._wait: float | None = None
        """Seconds until there may be another slot; None if no lookup waits for one."""
        self._wake = anyio.Event()

    def wake(self) -> None:
        """A slot may be free."""
        self._wake.set()

    def leave(self) -> None:
        super().leave()
        self.wake()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        while True:
            self._wait, self._wake = None, anyio.Event()
            self._emptied_at = -1  # lookups that found no slot are left
            job = await super().fetch_job(queues, worker_id)
            if job or self._wait is None or self.is_leaving:
                return job
            with anyio.move_on_after(self._wait):
                await self._wake.wait()

    async def claim(self, worker_id: int, room: int) -> Sequence[dict[str, Any]]:
        """Fetch the lookups for which the source has a slot, up to `room`."""
        hand_out = partial(self._hand_out, worker_id=worker_id, room=room)
        try:
            rows, self._wait = await self._service.database.write(hand_out)
        except StorageFailed:
            rows, self._wait = [], source_slots.RECHECK
        for row in rows:
            self._service.source_limiter.note_held(self._source, row["args"]["target_id"])
        return rows

    async def unregister_worker(self, worker_id: int) -> None:
        for job in self.ready:
            target_id, database = str(job.task_kwargs["target_id"]), self._service.database
            limiter = self._service.source_limiter
            await limiter.release(self._source, target_id, database=database)
        await super().unregister_worker(worker_id)

    def _hand_out(
        self, connection: Connection, worker_id: int, room: int
    ) -> tuple[list[dict[str, Any]], float | None]:
        rows: list[dict[str, Any]] = []
        if not procrastinate_queue.has_waiting(connection, self._source):
            return rows, None

        def claim_next() -> Job | None:
            row = procrastinate_queue.fetch_waiting(connection, self._source, worker_id)
            if row is None:
                return None
            rows.append(row)
            args = row["args"]
            return Job(kind=JobKind.LOOK_UP, target_id=args["target_id"], team_id=args["team_id"])

        _, wait = source_slots.hand_out(
            connection,
            self._source,
            self._service.source_limiter.limits[self._source],
            claim_next,
            most=room,
            now=self._service.clock(),
            lease=source_limiter.LEASE,
        )
        return rows, wait
