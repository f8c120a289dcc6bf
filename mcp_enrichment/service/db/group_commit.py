"""What many want of the database at the same time, done in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Does work for all who come while it is being done for others: they are the next group."""

    def __init__(self, do: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        """`do`: for a whole group; it says in their order what has come of each."""
        self._do = do
        self._next: _Group[T, R] | None = None
        self._turn = anyio.Lock()

    async def __call__(self, one: T) -> R:
        """Have it done for this one; what has come of it, or what was raised."""
        if self._next is None:
            self._next = _Group()
        group, number = self._next, len(self._next.members)
        group.members.append(one)
        if number == 0:
            # Whoever is first does it for all: being cancelled may not stop it.
            with anyio.CancelScope(shield=True):
                await self._lead(group)
        else:
            await group.done.wait()
        return group.outcome(number)

    async def _lead(self, group: _Group[T, R]) -> None:
        try:
            async with self._turn:
                self._next = None  # whoever comes from here on is of the next group
                group.outcomes = await self._outcomes(group.members)
        finally:
            group.done.set()

    async def _outcomes(self, members: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return await self._do(members)
        except StorageFailed as failure:
            return [failure] * len(members)
        except Exception as defect:  # noqa: BLE001 (of one of them: the others are done alone)
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
