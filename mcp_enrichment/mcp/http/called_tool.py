"""What a body asks for, as far as it matters before the protocol reads it."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.types import INVALID_REQUEST, JSONRPCRequest

from mcp_enrichment.mcp.http.http_error import HTTPError
from mcp_enrichment.mcp.jsonrpc import NO_REQUEST, InvalidMessage, parse_message
from mcp_enrichment.mcp.tools import TOOLS

_QUICK = frozenset(tool.name for tool in TOOLS if not tool.waits)


@dataclass(frozen=True, slots=True)
class CalledTool:
    """One body; a message that calls no tool asks for nothing."""

    tool: str | None = None
    """The tool that it calls."""
    tells_progress: bool = False

    @property
    def is_quick(self) -> bool:
        """Whether its answer comes soon and alone, so that nothing need be ready to stream it."""
        return self.tool in _QUICK and not self.tells_progress


def parse_called_tool(body: bytes) -> tuple[CalledTool, bytes]:
    """What it asks for, and the body as the SDK takes it. Raises `Refused` for what is no message:
    the SDK would quote it."""
    try:
        message, body = parse_message(body)
    except InvalidMessage as bad:
        its_id = bad.ids[0] if len(bad.ids) == 1 else None
        raise HTTPError(400, str(bad), code=bad.code, request_id=its_id) from None
    if message is None:
        raise HTTPError(400, NO_REQUEST, code=INVALID_REQUEST)
    if not isinstance(message, JSONRPCRequest) or message.method != "tools/call":
        return CalledTool(), body
    params = message.params or {}
    name, meta = params.get("name"), params.get("_meta")
    tells_progress = isinstance(meta, dict) and "progressToken" in meta
    return CalledTool(name if isinstance(name, str) else None, tells_progress), body
