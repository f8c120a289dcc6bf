"""How many lookups one process works on at once; one that waits for its turn does not count."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(eq=False)
class _Slot:
    """One lookup's slot; `is_taken` is False while the lookup waits for its turn at a source."""

    is_taken: bool = False


_of_this_lookup: ContextVar[_Slot | None] = ContextVar("_of_this_lookup", default=None)


class LookupSlots:
    """The slots of one process: without end until its engine says how many there are."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(math.inf)

    def limit(self, total: int) -> None:
        """From now on there are so many."""
        self._limiter.total_tokens = total

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Within it a lookup is worked on. It waits for a slot first."""
        slot = _Slot()
        token = _of_this_lookup.set(slot)
        try:
            await self.take()
            yield
        finally:
            self.leave()
            _of_this_lookup.reset(token)

    async def take(self) -> None:
        """Have this lookup take a slot again, as soon as one is free."""
        slot = _of_this_lookup.get()
        if slot and not slot.is_taken:
            await self._limiter.acquire_on_behalf_of(slot)
            slot.is_taken = True

    def leave(self) -> None:
        """Have this lookup's slot be free for another one."""
        slot = _of_this_lookup.get()
        if slot and slot.is_taken:
            slot.is_taken = False
            self._limiter.release_on_behalf_of(slot)
