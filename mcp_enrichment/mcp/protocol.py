"""The two kinds of protocol versions: with a handshake, and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_types.version import is_version_at_least

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

MODERN = "2026-07-28"
"""From this version on there is no handshake: each request declares the client's capabilities."""


def is_modern(context: ServerRequestContext[Any]) -> bool:
    """Whether the request is of a version without a handshake."""
    return is_version_at_least(context.protocol_version, MODERN)
