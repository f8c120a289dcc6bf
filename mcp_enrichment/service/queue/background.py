"""Background loops: work repeated at an interval, and work that outlasts a cancelled block."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any


async def repeat(
    seconds: float, work: Callable[[], Awaitable[None]], logger: logging.Logger, failure: str
) -> None:
    """Do the work every `seconds`, until cancelled. An exception that it raises is logged as
    `failure`."""
    while True:
        await anyio.sleep(seconds)
        with log_and_continue(logger, failure):
            await work()


@asynccontextmanager
async def run_alongside(*loops: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these endless loops until the block has ended, also if it is cancelled before."""
    scope = anyio.CancelScope(shield=True)

    async def run() -> None:
        with scope:
            async with anyio.create_task_group() as tasks:
                for loop in loops:
                    tasks.start_soon(loop)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield
        finally:
            scope.cancel()
