"""The smallest server with the SDK's low-level API: one tool, over stdio."""

from __future__ import annotations

from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool


async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
    """List one tool."""
    return ListToolsResult(tools=[Tool(name="nothing", input_schema={"type": "object"})])


async def call_tool(_context: Any, _params: Any) -> CallToolResult:
    """Do nothing."""
    return CallToolResult(content=[TextContent(type="text", text="{}")])


async def main() -> None:
    """Serve until stdin is closed."""
    server = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


anyio.run(main)
