"""The number of jobs that a process runs at once, shared by several workers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized


class CapacityUser(Protocol):
    """A worker that fetches jobs."""

    found_no_room: bool

    @property
    def at_work(self) -> Sized:
        """The jobs that it has."""

    async def look_again(self) -> None:
        """Fetch."""


class Capacity:
    """The number of jobs of one kind that this process runs at once, over several workers."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._reserved = 0
        self.workers: list[CapacityUser] = []

    @contextmanager
    def reserve(self, most: int) -> Iterator[int]:
        """Reserve room for a fetch: the number of jobs that may be fetched within it."""
        at_work = sum(len(worker.at_work) for worker in self.workers)
        room = max(min(most, self._total - at_work - self._reserved), 0)
        self._reserved += room
        try:
            yield room
        finally:
            self._reserved -= room

    async def offer(self) -> None:
        """Let the workers that found no room fetch again."""
        for worker in self.workers:
            if worker.found_no_room:
                worker.found_no_room = False
                await worker.look_again()
