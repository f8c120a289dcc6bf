"""Calling the tools in this process, through a real MCP client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp import Client
from mcp.types import TextContent

from mcp_enrichment.contract.errors import Permanent
from mcp_enrichment.mcp.server import create_server

if TYPE_CHECKING:
    from mcp.types import CallToolResult

    from mcp_enrichment.mcp.calls import GetClient


class ToolFailed(Permanent):
    """A tool answered with an error; the sentence is the tool's own."""

    code = "tool_failed"


async def call(get_client: GetClient, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured answer of one tool call. Raises `ToolFailed`."""
    async with Client(create_server(get_client)) as client:
        return content_of(await client.call_tool(name, arguments))


def content_of(result: CallToolResult) -> dict[str, Any]:
    """The structured answer; `ToolFailed` where the result is an error."""
    if result.is_error:
        raise ToolFailed(" ".join(c.text for c in result.content if isinstance(c, TextContent)))
    content: dict[str, Any] = result.structured_content
    return content
