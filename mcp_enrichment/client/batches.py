"""One piece of work for all who want it done at about the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class _Batch(Generic[T, R]):
    items: list[T] = field(default_factory=list)
    result: list[R] = field(default_factory=list)
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return bool(self.result or self.error)


class Batches(Generic[T, R]):
    """Does what comes while it is busy all at once, as soon as it is not.

    The work may be done twice, where whoever began it leaves in the middle: it is to be such that
    this changes nothing.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[R]]) -> None:
        self._work = work
        self._next: _Batch[T, R] = _Batch()
        self._turn = anyio.Lock()

    async def add(self, items: Iterable[T]) -> R:
        """What the work returns or raises for a batch with these items in it, and others."""
        batch = self._next
        batch.items.extend(items)
        async with self._turn:
            if batch is self._next:
                self._next = _Batch()
            if not batch.is_done:
                await self._do(batch)
        if batch.error:
            raise batch.error
        return batch.result[0]

    async def _do(self, batch: _Batch[T, R]) -> None:
        try:
            batch.result.append(await self._work(batch.items))
        except Exception as error:  # noqa: BLE001 (raised in all who wait for it)
            batch.error = error
