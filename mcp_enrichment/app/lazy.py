"""A resource that its first user opens, and its owner closes."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

K = TypeVar("K")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lazy(
    opening: Callable[[], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[], Awaitable[T]]]:
    """Yield a function that returns the resource of `opening`; its first call opens it."""
    async with lazy_by_key(lambda _key: opening()) as get:
        yield partial(get, None)


@asynccontextmanager
async def lazy_by_key(
    opening: Callable[[K], AbstractAsyncContextManager[T]],
) -> AsyncIterator[Callable[[K], Awaitable[T]]]:
    """Yield a function that returns the resource of a key; the first call with the key opens it.

    It raises the error of opening the resource. After an error, the next call opens it again.
    """
    calls: dict[K, SharedCall[T]] = {}
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def get(key: K) -> T:
            if key not in calls:
                calls[key] = SharedCall()
                tasks.start_soon(_keep, calls, key, opening)
            return await calls[key].result_or_error()

        try:
            yield get
        except Exception as error:  # noqa: BLE001 (a task group would raise it within a group)
            raised = error
        tasks.cancel_scope.cancel()
    if raised:
        raise raised


async def _keep(
    calls: dict[K, SharedCall[T]], key: K, opening: Callable[[K], AbstractAsyncContextManager[T]]
) -> None:
    # One task opens and closes it: a cancel scope may not move to another task.
    call = calls[key]
    try:
        async with opening(key) as resource:
            call.set_result(resource)
            await anyio.sleep_forever()
    except Exception as error:  # noqa: BLE001 (raised again in each caller)
        del calls[key]
        if not isinstance(error, EnrichmentError):
            logger.error("opening a resource raised %s", safe_traceback(error))  # noqa: TRY400
        if not call.done():
            call.fail(error)
