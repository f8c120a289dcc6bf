"""Progress notifications of a call that takes long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext

FIRST_PROGRESS = 3.0
"""Seconds until the first notification."""
PROGRESS_EVERY = 4.0
"""Seconds between two notifications: less than the promised 5, as a busy process is late."""
MESSAGE = "waiting for the lookup"


@asynccontextmanager
async def report_progress(context: ServerRequestContext[Any], cap: float) -> AsyncIterator[None]:
    """Notify the client while the block runs."""
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:
        # A task from the start would cost a third of the short calls a second.
        timer = loop.call_later(FIRST_PROGRESS, tasks.start_soon, _report, context, cap)
        try:
            yield
        finally:
            timer.cancel()
            if loop.time() >= timer.when():
                tasks.cancel_scope.cancel()


async def _report(context: ServerRequestContext[Any], cap: float) -> None:
    due = anyio.current_time()
    started_at = due - FIRST_PROGRESS
    while True:
        await anyio.sleep_until(due)
        elapsed = anyio.current_time() - started_at
        await context.session.report_progress(round(elapsed, 1), cap, MESSAGE)
        due += PROGRESS_EVERY
