"""Progress notifications of a call that takes long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext

    from mcp_enrichment.mcp.call_context import Progress

FIRST_PROGRESS = 3.0
"""Seconds until the first notification."""
PROGRESS_EVERY = 4.0
"""Seconds between two notifications: less than the promised 5, as a busy process is late."""
MESSAGE = "waiting for the lookup"


@asynccontextmanager
async def report_progress(
    context: ServerRequestContext[Any], cap: float, progress: Progress
) -> AsyncIterator[None]:
    """Notify the client while the block runs."""
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:
        # A task from the start would cost a third of the short calls a second.
        timer = loop.call_later(FIRST_PROGRESS, tasks.start_soon, _report, context, cap, progress)
        try:
            yield
        finally:
            timer.cancel()
            if loop.time() >= timer.when():
                tasks.cancel_scope.cancel()


async def _report(context: ServerRequestContext[Any], cap: float, progress: Progress) -> None:
    due = anyio.current_time()
    started_at = due - FIRST_PROGRESS
    while True:
        await anyio.sleep_until(due)
        elapsed = anyio.current_time() - started_at
        await context.session.report_progress(*_report_of(progress, elapsed, cap))
        due += PROGRESS_EVERY


def _report_of(progress: Progress, elapsed: float, cap: float) -> tuple[float, float, str]:
    """The progress, its total and a message. The protocol wants each progress to be higher than
    the last one, so the seconds are added as a part of a row."""
    if not progress.total:
        return round(elapsed, 1), cap, MESSAGE
    done = round(progress.done + min(elapsed / (cap + PROGRESS_EVERY), 0.99), 4)
    return done, progress.total, f"{progress.done} of {progress.total} profiles answered"
