"""Progress notifications of a call that takes long."""

from __future__ import annotations

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
    """Notify a client that has sent a progress token while the block runs."""
    if context.request and "progress_token" not in (context.meta or {}):
        yield  # in memory the SDK needs no token
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_report, context, cap)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _report(context: ServerRequestContext[Any], cap: float) -> None:
    started_at = anyio.current_time()
    due = started_at + FIRST_PROGRESS
    while True:
        await anyio.sleep_until(due)
        elapsed = anyio.current_time() - started_at
        await context.session.report_progress(round(elapsed, 1), cap, MESSAGE)
        due += PROGRESS_EVERY
