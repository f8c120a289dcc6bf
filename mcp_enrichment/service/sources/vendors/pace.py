"""How much one process asks a vendor: so many questions at once, and so many a second."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST_WAIT = 4.0
"""Seconds that a question waits for its turn, and as many for a place, before it is not asked."""


class NoTurn(Exception):
    """Too much is being asked: nothing was sent."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        """After which to try again."""


class Pace:
    """Lets questions through one after the other. It knows nothing of other processes."""

    def __init__(self, *, at_once: int | None, per_second: float | None) -> None:
        self._places = anyio.CapacityLimiter(at_once or math.inf)
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A question may be asked in it. Raises `NoTurn`."""
        now = anyio.current_time()
        begins = max(self._next, now)
        if begins - now > LONGEST_WAIT:
            raise NoTurn(begins - now)
        self._next = begins + self._gap
        await anyio.sleep(begins - now)
        with anyio.move_on_after(LONGEST_WAIT) as waiting:
            await self._places.acquire()
        if waiting.cancelled_caught:
            raise NoTurn(LONGEST_WAIT)
        try:
            yield
        finally:
            self._places.release()
