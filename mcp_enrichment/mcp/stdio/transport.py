"""The pipes of a chat client, on the event loop itself: no thread is asked for a line.

The SDK's own transport hops to a thread and back for each line read, written and flushed, and what
it waits for cannot be cancelled. To the SDK's server the two are alike.
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

    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]

LINGER = 0.3
"""Seconds that a client has, at the end, to take what is not sent yet."""


def transport() -> AbstractAsyncContextManager[Streams]:
    """The messages of whoever has started this process, over its stdin and stdout.

    Raises `BrokenPipeError`, in a group, once the client no longer takes its answers.
    """
    if sys.platform != "win32":
        from mcp_enrichment.mcp.stdio.fds import are_pollable  # noqa: PLC0415 (not on Windows)

        if are_pollable():
            return _pipes()
    return stdio_server()


@asynccontextmanager
async def _pipes() -> AsyncIterator[Streams]:
    from mcp_enrichment.mcp.stdio.fds import stdio_fds  # noqa: PLC0415
    from mcp_enrichment.mcp.stdio.reader import StdinReader  # noqa: PLC0415
    from mcp_enrichment.mcp.stdio.writer import StdoutWriter  # noqa: PLC0415

    with stdio_fds() as (from_client, to_client):
        outgoing = StdoutWriter(to_client)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(outgoing.keep_writing)
                yield StdinReader(from_client, outgoing), outgoing
                tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(LINGER, shield=True):
                await outgoing.flush()
