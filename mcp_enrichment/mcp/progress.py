"""Telling a client that its call still runs, where it asks for that."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.mcp.sse_fast_path import stream_of_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup
    from mcp.server.context import ServerRequestContext

FIRST_PROGRESS = 3.0
"""Seconds after which a call that has not ended tells its progress."""
PROGRESS_EVERY = 4.5
"""Seconds between two such notifications: of five, which are the promise, with some to spare."""
APART = 0.1
"""Of that pause, what lies between two at least where the first was late."""
MESSAGE = "waiting for the lookup"


@asynccontextmanager
async def report_progress(context: ServerRequestContext[Any], cap: float) -> AsyncIterator[None]:
    """Tells a client that asks for it of what runs in it, from `FIRST_PROGRESS` seconds on."""
    if context.request and "progress_token" not in (context.meta or {}):
        yield  # within one process the SDK needs no token to hand progress on
        return
    async with anyio.create_task_group() as tasks:
        progress = _Progress(context, cap, tasks)
        try:
            yield
        finally:
            progress.end()


class _Progress:
    """A timer, and a task for each notification alone: most of ten thousand calls sleep, and one
    that is cancelled while it sleeps leaves objects that only the garbage collector frees."""

    __slots__ = ("_began", "_cap", "_context", "_due", "_is_telling", "_loop", "_tasks", "_timer")

    def __init__(self, context: ServerRequestContext[Any], cap: float, tasks: TaskGroup) -> None:
        self._context, self._cap, self._tasks = context, cap, tasks
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._is_telling = False
        self._wait_until(self._began + FIRST_PROGRESS)

    def _wait_until(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        # Each call keeps to times of its own: those that a busy moment has delayed would otherwise
        # be told at the same time ever after.
        missed = (self._loop.time() - self._due) / PROGRESS_EVERY + APART
        self._wait_until(self._due + PROGRESS_EVERY * (1 + int(missed)))
        # A client that takes nothing is not told more of it.
        if not self._is_telling and not self._told_at_once():
            self._is_telling = True
            self._tasks.start_soon(self._tell)

    def _told_at_once(self) -> bool:
        stream, meta = stream_of_call.get(), self._context.meta
        if stream is None or meta is None:
            return False
        progress = {"progress": self._elapsed(), "total": self._cap, "message": MESSAGE}
        params = {"progressToken": meta["progress_token"], **progress}
        return stream.tell("notifications/progress", params)

    async def _tell(self) -> None:
        await self._context.session.report_progress(self._elapsed(), self._cap, MESSAGE)
        self._is_telling = False

    def _elapsed(self) -> float:
        return round(self._loop.time() - self._began, 1)

    def end(self) -> None:
        """Tell nothing more."""
        self._timer.cancel()
        if self._is_telling:
            self._tasks.cancel_scope.cancel()
