"""Whose turn it is at a source: its limits hold for all processes of a database together."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.defects import survived
from mcp_enrichment.service.store import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.turns import Limit

logger = logging.getLogger(__name__)

COMING = 2
"""Lookups that a process takes on before the first of them has asked for its turn; where no source
has a limit as many as it likes."""
LEASE = 20.0
"""Seconds after which the lookup of a process that died counts as over."""


class Turns:
    """Has lookups wait for their turn at each source that has a limit."""

    def __init__(self, limits: Mapping[str, Limit] | None = None) -> None:
        self._limits = limits or {}
        self._held: set[tuple[str, str]] = set()
        self._coming: set[str] = set()
        self._lines: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self.waiting = 0
        """Lookups of this process that wait for their turn."""
        self._changed = anyio.Event()

    @asynccontextmanager
    async def turn(self, service: Service, source: str, request_id: str) -> AsyncIterator[None]:
        """Within it the request may be looked up at the source of this name."""
        limit = self._limits.get(source)
        if limit is None:
            self.gone(request_id)
            yield
            return
        await self._wait(service, source, request_id, limit)
        self._held.add((source, request_id))
        try:
            yield
        finally:
            self._held.discard((source, request_id))
            with anyio.CancelScope(shield=True):
                await self._give_back(service, source, request_id)

    async def room(self) -> int:
        """How many lookups may be taken on, once none of this process waits for its turn, or is
        about to.

        Who takes no more lookups on until then leaves them to be taken in order by whoever has
        room: a team's thousands, waiting here, would have everybody else's wait behind them.
        """
        while self.waiting or len(self._coming) >= COMING:
            await self._changed.wait()
        return COMING - len(self._coming) if self._limits else sys.maxsize

    def coming(self, request_id: str) -> None:
        """Somebody has taken this request on, and will ask for its turn."""
        if self._limits:
            self._coming.add(request_id)

    def gone(self, request_id: str) -> None:
        """It asks for no turn any more."""
        self._coming.discard(request_id)
        self._change()

    async def keep(self, service: Service) -> None:
        """Keep what is under way in this process from counting as over, for ever."""
        while True:
            await anyio.sleep(LEASE / 4)
            if not (held := list(self._held)):
                continue
            until = service.clock() + LEASE
            with survived(logger, "the turns cannot be kept"):
                await service.database.write(lambda c: turns.renew(c, held, until=until))  # noqa: B023

    async def _wait(self, service: Service, source: str, request_id: str, limit: Limit) -> None:
        def take(connection: Connection) -> float:
            now = service.clock()
            return turns.take(connection, source, request_id, limit, now=now, lease=LEASE)

        self.waiting += 1
        service.wake()  # whoever waits works on nothing: there is room for another lookup
        self._coming.discard(request_id)
        try:
            # One of this process at a time asks, in their order: the others would ask in vain.
            async with self._lines[source]:
                while seconds := await service.database.write(take):
                    with anyio.move_on_after(seconds):
                        await self._changed.wait()
        except BaseException:  # whoever comes after must not wait for one who is not coming
            with anyio.CancelScope(shield=True):
                await self._give_back(service, source, request_id)
            raise
        finally:
            self.waiting -= 1
            self._change()

    async def _give_back(self, service: Service, source: str, request_id: str) -> None:
        # Its answer is worth more than its turn: a lookup that is repeated may be paid for twice.
        with survived(logger, f"the turn of {request_id} is not given back"):
            await service.database.write(lambda c: turns.give_back(c, source, request_id))
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
