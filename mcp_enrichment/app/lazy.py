"""A resource that its first user opens, and its owner closes."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

K = TypeVar("K")
T = TypeVar("T")

logger = logging.getLogger(__name__)


class _Lazy(Generic[T]):
    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opening = opening
        self._wanted = anyio.Event()
        self._opened: SharedCall[T] = SharedCall()

    async def get(self) -> T:
        """Return the resource. Raises the error of opening it; the next call then tries again."""
        self._wanted.set()
        return await self._opened.result_or_error()

    async def keep(self) -> None:
        """Open the resource once it is wanted, and again after it has failed."""
        # One task opens and closes it: a cancel scope may not move to another task.
        while True:
            await self._wanted.wait()
            try:
                async with self._opening() as resource:
                    self._opened.set_result(resource)
                    await anyio.sleep_forever()
            except Exception as error:  # noqa: BLE001 (raised again in each caller)
                if not isinstance(error, EnrichmentError):
                    logger.error("opening a resource raised %s", safe_traceback(error))  # noqa: TRY400
                self._start_over(error)

    def _start_over(self, error: Exception) -> None:
        opened, self._opened, self._wanted = self._opened, SharedCall(), anyio.Event()
        if not opened.done():
            opened.fail(error)


@asynccontextmanager
async def lazy(
    opening: Callable[[], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[], Awaitable[T]]]:
    """Yield a function that returns the resource of `opening`; its first call opens it."""
    async with lazy_by_key(lambda _key: opening()) as get:
        yield lambda: get(None)


@asynccontextmanager
async def lazy_by_key(
    opening: Callable[[K], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[K], Awaitable[T]]]:
    """Yield a function that returns the resource of a key; the first call with the key opens it."""
    resources: dict[K, _Lazy[T]] = {}
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def get(key: K) -> T:
            if key not in resources:
                resources[key] = _Lazy(lambda: opening(key))
                tasks.start_soon(resources[key].keep)
            return await resources[key].get()

        try:
            yield get
        except Exception as error:  # noqa: BLE001 (a task group would raise it within a group)
            raised = error
        tasks.cancel_scope.cancel()
    if raised:
        raise raised
