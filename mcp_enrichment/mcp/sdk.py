"""Gaps of the MCP SDK: the kind of a protocol version, and uses of its private names.

All private names that we use are in this file. A release may change them, so the SDK is pinned
below its next minor version, and tests/mcp/test_sdk.py checks each of them by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_types.version import is_version_at_least

if TYPE_CHECKING:
    from mcp.server.connection import Connection
    from mcp.server.context import ServerMiddleware, ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage

    Streams = tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]

MODERN = "2026-07-28"
"""From this version on there is no handshake: each request declares the client's capabilities."""


def connection_of(context: ServerRequestContext[Any]) -> Connection:
    """The connection of a request: the only object that handlers can reach and that outlives it."""
    return context.session._connection


def wants_progress(context: ServerRequestContext[Any]) -> bool:
    """Whether the client of this request has sent a progress token. In memory it needs none."""
    in_memory = context.session._request_outbound.message_metadata is None
    return in_memory or "progress_token" in (context.meta or {})


def take_tracing_middleware(server: Server[Any]) -> ServerMiddleware[Any]:
    """Remove and return the SDK's only middleware of its own, which makes the spans."""
    [spans] = server.middleware
    server.middleware = []
    return spans


def is_modern(context: ServerRequestContext[Any]) -> bool:
    """Whether the request is of a version without a handshake."""
    return is_version_at_least(context.protocol_version, MODERN)
