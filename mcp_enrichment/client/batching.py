"""One piece of work for all who want it done at about the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.contract.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence

    from anyio.abc import TaskGroup

T = TypeVar("T", bound="Hashable")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class _Batch(Generic[T, R]):
    items: dict[T, None] = field(default_factory=dict)
    is_wanted: bool = False
    is_done: anyio.Event = field(default_factory=anyio.Event)
    result: list[R] = field(default_factory=list)
    error: Exception | None = None


class BatchLoader(Generic[T, R]):
    """Does what comes while it is busy all at once, as soon as it is not.

    It is done in a task of its own, whoever leaves meanwhile, and told to all at the same moment:
    passed on from one to the next, each turn would take as long as all else that the process does.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[R]], tasks: TaskGroup) -> None:
        self._work = work
        self._tasks = tasks
        self._next: _Batch[T, R] = _Batch()
        self._is_busy = False

    async def add(self, items: Iterable[T]) -> R:
        """What the work returns or raises for a batch with these items in it, and others."""
        batch = self._next
        batch.items.update(dict.fromkeys(items))
        batch.is_wanted = True
        if not self._is_busy:
            self._is_busy = True
            self._tasks.start_soon(self._do_all)
        await batch.is_done.wait()
        if not batch.result:
            # Neither a result nor an error: the client was closed meanwhile.
            raise batch.error or ServiceUnavailable()
        return batch.result[0]

    async def _do_all(self) -> None:
        try:
            while self._next.is_wanted:
                batch, self._next = self._next, _Batch()
                await self._do(batch)
        finally:
            self._is_busy = False
            if self._next.is_wanted:  # the client is closed
                self._next.is_done.set()

    async def _do(self, batch: _Batch[T, R]) -> None:
        try:
            batch.result.append(await self._work(list(batch.items)))
        except Exception as error:  # noqa: BLE001 (raised in all who wait for it)
            batch.error = error
        finally:
            batch.is_done.set()
