"""One run of a piece of work for all callers that want its result at the same time.

The work runs in a task of the owner's task group. It goes on when its callers are cancelled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from mcp_enrichment.contract.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence

    from anyio.abc import TaskGroup

T = TypeVar("T")
I = TypeVar("I", bound="Hashable")  # noqa: E741 (an item)


class SharedCall(asyncio.Future[T]):
    """The result of one run of the work, for any number of callers."""

    async def result_or_error(self) -> T:
        """Wait for the result, or raise the error. A cancelled caller does not cancel the work."""
        return await asyncio.shield(self)

    async def run(self, work: Awaitable[T], *, when_cancelled: type[Exception]) -> None:
        """Do the work and give its result or error to all callers."""
        try:
            self.set_result(await work)
        except Exception as error:  # noqa: BLE001 (raised again in each caller)
            self.fail(error)
        finally:
            if not self.done():  # cancelled: the owner's task group is closed
                self.fail(when_cancelled())

    def fail(self, error: Exception) -> None:
        """Raise the error in all callers, if there are any."""
        self.set_exception(error)
        self.exception()  # else asyncio logs an error that no caller has read


class BatchLoader(Generic[I, T]):
    """Collects items while a batch is at work, and then works on all of them in the next batch."""

    def __init__(self, work: Callable[[Sequence[I]], Awaitable[T]], tasks: TaskGroup) -> None:
        self._work = work
        self._tasks = tasks
        self._items: dict[I, None] = {}
        self._next: SharedCall[T] | None = None
        self._is_busy = False

    async def add(self, items: Iterable[I]) -> T:
        """Add the items to the next batch; return its result or raise its error."""
        call = self._next = self._next or SharedCall()
        self._items.update(dict.fromkeys(items))
        if not self._is_busy:
            self._is_busy = True
            self._tasks.start_soon(self._run)
        return await call.result_or_error()

    async def _run(self) -> None:
        try:
            while call := self._next:
                items, self._items, self._next = list(self._items), {}, None
                await call.run(self._work(items), when_cancelled=ServiceUnavailable)
        finally:
            self._is_busy = False
            if self._next:  # the owner's task group is closed
                self._next.fail(ServiceUnavailable())
