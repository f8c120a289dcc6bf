"""Limits of sources, shared by all processes of one database."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.lookup import source_slots
from mcp_enrichment.service.lookup.concurrency import LookupSlots
from mcp_enrichment.service.lookup.fair_lock import RoundRobinLock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.source_slots import Limit
    from mcp_enrichment.service.requests.request_table import Request

logger = logging.getLogger(__name__)

MAX_ARRIVING = 2
"""Lookups that a process takes on for a source before the first of them has asked for its turn."""
LEASE = 20.0
"""Seconds after which the lookup of a process that died counts as over."""


class AtCapacity(Exception):
    """It is not the lookup's turn at a source, and it may not wait for it here."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source


class SourceLimiter:
    """Has lookups wait for their turn at each source that has a limit."""

    def __init__(self, limits: Mapping[str, Limit] | None = None) -> None:
        self.slots = LookupSlots()
        self._limits = limits or {}
        self._held: set[tuple[str, str]] = set()
        self._coming: dict[str, str] = {}
        self._lines: defaultdict[str, RoundRobinLock] = defaultdict(RoundRobinLock)
        self._waiting: Counter[str] = Counter()
        self._changed = anyio.Event()

    @asynccontextmanager
    async def turn(
        self, service: ServiceContext, source: str, request: Request, *, may_wait: bool
    ) -> AsyncIterator[None]:
        """Within it the request may be looked up at the source of this name. Raises `Full` where
        it would have to wait for that, and may not."""
        limit, request_id = self._limits.get(source), request.id
        if limit is None:
            self.gone(request_id)
            yield
            return
        try:
            await self._begin(service, source, request, limit, may_wait=may_wait)
        except BaseException:  # whoever comes after must not wait for one who is not coming
            with anyio.CancelScope(shield=True):
                await self._give_back(service, source, request_id)
            raise
        self._held.add((source, request_id))
        try:
            yield
        finally:
            self._held.discard((source, request_id))
            with anyio.CancelScope(shield=True):
                await self._give_back(service, source, request_id)

    @property
    def sources(self) -> Collection[str]:
        """Those that have a limit."""
        return self._limits.keys()

    @property
    def waiting(self) -> int:
        """Lookups of this process that wait for their turn somewhere."""
        return self._waiting.total()

    async def room(self, source: str) -> int:
        """How many lookups may be taken on that wait for their turn at this source, once none of
        this process does, or is about to.

        Who takes no more lookups on until then leaves them to be taken in order by whoever has
        room: a team's thousands, waiting here, would have everybody else's wait behind them.
        """
        while self._waiting[source] or (room := MAX_ARRIVING - self._number_coming(source)) <= 0:
            await self._changed.wait()
        return room

    def coming(self, request_id: str, source: str) -> None:
        """Somebody has taken this request on, and will ask for its turn at this source."""
        self._coming[request_id] = source

    def gone(self, request_id: str) -> None:
        """It asks for no turn any more."""
        self._coming.pop(request_id, None)
        self._change()

    async def keep(self, service: ServiceContext) -> None:
        """Keep what is under way in this process from counting as over, for ever."""
        while True:
            await anyio.sleep(LEASE / 4)
            if not (held := list(self._held)):
                continue
            until = service.clock() + LEASE
            with log_and_continue(logger, "the turns cannot be kept"):
                await service.database.write(lambda c: source_slots.renew(c, held, until=until))  # noqa: B023

    def _number_coming(self, source: str) -> int:
        return sum(its == source for its in self._coming.values())

    async def _begin(
        self,
        service: ServiceContext,
        source: str,
        request: Request,
        limit: Limit,
        *,
        may_wait: bool,
    ) -> None:
        def take(connection: Connection) -> float:
            now = service.clock()
            return source_slots.acquire(connection, source, request.id, limit, now=now, lease=LEASE)

        if may_wait:
            await self._wait(service, source, request, take)
        elif self._waiting[source] or await service.database.write(take) > 0:
            raise AtCapacity(source)

    async def _wait(
        self,
        service: ServiceContext,
        source: str,
        request: Request,
        take: Callable[[Connection], float],
    ) -> None:
        self._waiting[source] += 1
        self.slots.leave()
        service.wake()  # whoever waits works on nothing: there is room for another lookup
        if self._coming.get(request.id) == source:
            del self._coming[request.id]
        try:
            # One of this process at a time asks, in their order: the others would ask in vain.
            async with self._lines[source].held(request.team_id):
                while seconds := await self._take(service, take):
                    with anyio.move_on_after(seconds):
                        await self._changed.wait()
        finally:
            self._waiting[source] -= 1
            self._change()

    async def _take(self, service: ServiceContext, take: Callable[[Connection], float]) -> float:
        # It begins with the slot that it works in: a turn that waits for one would come too late,
        # together with later ones, and the source would be asked more often than it may be.
        await self.slots.take()
        seconds = await service.database.write(take)
        if seconds:
            self.slots.leave()
        return seconds

    async def _give_back(self, service: ServiceContext, source: str, request_id: str) -> None:
        # Its answer is worth more than its turn: a lookup that is repeated may be paid for twice.
        with log_and_continue(logger, f"the turn of {request_id} is not given back"):
            await service.database.write(lambda c: source_slots.release(c, source, request_id))
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
