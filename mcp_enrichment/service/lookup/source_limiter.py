"""Limits of sources: a lookup takes a slot at a source, or its job is rescheduled."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.lookup import source_slots
from mcp_enrichment.service.queue.background import repeat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.contract.source_limit import SourceLimit
    from mcp_enrichment.service.db.database import Database

logger = logging.getLogger(__name__)

LEASE = 20.0
"""Seconds after which the slot of a process that died is free again."""


class AtCapacity(Exception):
    """The source has no free slot, or other lookups wait for one."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source


class SourceLimiter:
    """Takes a slot for each lookup at a source that has a limit."""

    def __init__(self, limits: Mapping[str, SourceLimit] | None = None) -> None:
        self.limits = limits or {}
        self.on_release: Callable[[str], None] = lambda _source: None
        """Called with the source whose slot is free again. The job engine sets it."""
        self._held: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def slot(
        self, source: str, request_id: str, *, database: Database, clock: Callable[[], float]
    ) -> AsyncIterator[None]:
        """Within it the request may be looked up at this source. Raises `AtCapacity`."""
        limit = self.limits.get(source)
        if limit is None:
            yield
            return

        def acquire(connection: Connection) -> bool:
            now = clock()
            if source_slots.holds(connection, source, request_id, now=now):
                return True
            if database.queue.has_waiting(connection, source):
                return False  # they are first
            options = {"now": now, "lease": LEASE}
            return source_slots.acquire(connection, source, request_id, limit, **options)

        try:
            acquired = await database.write(acquire)
        except BaseException:  # it may have been acquired
            await self.release(source, request_id, database=database)
            raise
        if not acquired:
            raise AtCapacity(source)
        self.note_held(source, request_id)
        try:
            yield
        finally:
            await self.release(source, request_id, database=database)

    def note_held(self, source: str, request_id: str) -> None:
        """This process has the slot: it is renewed until it is released."""
        self._held.add((source, request_id))

    def is_held(self, source: str, request_id: str) -> bool:
        return (source, request_id) in self._held

    async def release(self, source: str, request_id: str, *, database: Database) -> None:
        """Give the slot back, also if the lookup is cancelled."""
        self._held.discard((source, request_id))
        with (
            anyio.CancelScope(shield=True),
            # The answer is worth more than the slot: a lookup that is repeated may be paid twice.
            log_and_continue(logger, f"the slot of {request_id} is not released"),
        ):
            await database.write(lambda c: source_slots.release(c, source, request_id))
        self.on_release(source)

    async def keep(self, database: Database, clock: Callable[[], float]) -> None:
        """Renew the slots that this process holds, until cancelled."""

        async def renew() -> None:
            if held := list(self._held):
                until = clock() + LEASE
                await database.write(lambda c: source_slots.renew(c, held, until=until))

        await repeat(LEASE / 4, renew, logger, "the slots cannot be renewed")
