"""The parts of the MCP SDK that are not public, all in one file.

A release of the SDK may change them. It is pinned below its next minor version, and
tests/mcp/test_sdk_private.py checks each of them by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.connection import Connection
    from mcp.server.context import ServerMiddleware, ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]


def connection_of(context: ServerRequestContext[Any]) -> Connection:
    """The connection of a request: the only object that handlers can reach and that outlives it."""
    return context.session._connection


def take_tracing_middleware(server: Server[Any]) -> ServerMiddleware[Any]:
    """Remove and return the SDK's only middleware of its own, which makes the spans."""
    [spans] = server.middleware
    server.middleware = []
    return spans
