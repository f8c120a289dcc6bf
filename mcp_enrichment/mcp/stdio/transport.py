"""The stdio transport, on the event loop.

The SDK's transport uses a thread for each line that is read, written and flushed, and its waits
cannot be cancelled (bench/README.md, `face`). The SDK's server accepts either.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from mcp.server.stdio import stdio_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from mcp_enrichment.mcp.sdk import Streams
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers

LINGER = 0.3
"""Seconds at shutdown for the client to read the messages that are not sent yet."""


def transport(early: EarlyAnswers | None = None) -> AbstractAsyncContextManager[Streams]:
    """The streams of messages over stdin and stdout. They take over from `early`.

    Raises `BrokenPipeError` in an exception group once the client has closed stdout.
    """
    if sys.platform != "win32":
        from mcp_enrichment.mcp.stdio.fds import are_pollable  # noqa: PLC0415 (not on Windows)

        if are_pollable():
            return _pipes(early)
    return stdio_server()


@asynccontextmanager
async def _pipes(early: EarlyAnswers | None) -> AsyncIterator[Streams]:
    from mcp_enrichment.mcp.stdio.early import Handover  # noqa: PLC0415
    from mcp_enrichment.mcp.stdio.fds import stdio_fds  # noqa: PLC0415
    from mcp_enrichment.mcp.stdio.reader import StdinReader  # noqa: PLC0415
    from mcp_enrichment.mcp.stdio.writer import StdoutWriter  # noqa: PLC0415

    handover = early.stop() if early else Handover()
    with stdio_fds() as (from_client, to_client):
        writer = StdoutWriter(to_client, handover)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.keep_writing)
                yield StdinReader(from_client, writer, handover.received), writer
                tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(LINGER, shield=True):
                await writer.flush()
