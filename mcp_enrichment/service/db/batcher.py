"""Group commit: concurrent calls share one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Collects items while a group is under way: they are the next group."""

    def __init__(self, do: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        """`do`: processes a group, and returns the results in the order of the items."""
        self._do = do
        self._next: _Group[T, R] | None = None
        self._turn = anyio.Lock()

    async def __call__(self, one: T) -> R:
        """Add one item to the next group; return its result or raise its error."""
        if self._next is None:
            self._next = _Group()
        group, number = self._next, len(self._next.members)
        group.members.append(one)
        if number == 0:
            # The first item's task leads the group, so it must not be cancelled.
            with anyio.CancelScope(shield=True):
                await self._lead(group)
        else:
            await group.done.wait()
        return group.outcome(number)

    async def _lead(self, group: _Group[T, R]) -> None:
        try:
            async with self._turn:
                self._next = None  # items from here on belong to the next group
                group.outcomes = await self._outcomes(group.members)
        finally:
            group.done.set()

    async def _outcomes(self, members: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return await self._do(members)
        except StorageFailed as failure:
            return [failure] * len(members)
        except Exception as defect:  # noqa: BLE001 (of one item: each is processed alone)
            if len(members) == 1:
                return [defect]
            return [(await self._outcomes([one]))[0] for one in members]


class _Group(Generic[T, R]):
    def __init__(self) -> None:
        self.members: list[T] = []
        self.outcomes: Sequence[R | Exception] = ()
        self.done = anyio.Event()

    def outcome(self, number: int) -> R:
        outcome = self.outcomes[number]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
