"""A resource that is opened by the first who needs it, and closed by whoever owns it."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

K = TypeVar("K")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened(Generic[T]):
    resource: T


class _Lazy(Generic[T]):
    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opening = opening
        self._wanted = anyio.Event()
        self._tried = anyio.Event()
        self._state: _Opened[T] | Exception | None = None

    async def get(self) -> T:
        """The resource. Raises what opening it raised; the next call then tries again."""
        self._wanted.set()
        await self._tried.wait()
        if isinstance(self._state, _Opened):
            return self._state.resource
        assert self._state is not None  # noqa: S101 (tried, and not opened)
        raise self._state

    async def keep(self) -> None:
        # Opened and closed in this one task: cancel scopes may not wander from task to task.
        while True:
            await self._wanted.wait()
            try:
                async with self._opening() as resource:
                    self._publish(_Opened(resource))
                    await anyio.sleep_forever()
            except Exception as error:  # noqa: BLE001 (raised again in whoever waits for it)
                if not isinstance(error, EnrichmentError):
                    logger.error("what is opened on first use raised %s", safe_traceback(error))  # noqa: TRY400
                self._begin_anew(error)

    def _begin_anew(self, error: Exception) -> None:
        # Whoever waits is told; whoever comes next, also after it died in use, has it opened anew.
        tried, self._wanted, self._tried = self._tried, anyio.Event(), anyio.Event()
        self._state = error
        tried.set()

    def _publish(self, opened: _Opened[T]) -> None:
        self._state = opened
        self._tried.set()


@asynccontextmanager
async def lazy(
    opening: Callable[[], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[], Awaitable[T]]]:
    """Yields a function that gives the resource of `opening`; its first call opens it."""
    lazy = _Lazy(opening)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lazy.keep)
        yield lazy.get
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def lazy_by_key(
    opening: Callable[[K], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[K], Awaitable[T]]]:
    """Yields a function that gives the resource of a key; the first call with the key opens it."""
    opened: dict[K, _Lazy[T]] = {}
    async with anyio.create_task_group() as tasks:

        async def get(key: K) -> T:
            if key not in opened:
                opened[key] = _Lazy(lambda: opening(key))
                tasks.start_soon(opened[key].keep)
            return await opened[key].get()

        yield get
        tasks.cancel_scope.cancel()
