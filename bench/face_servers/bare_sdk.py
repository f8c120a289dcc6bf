"""The Python SDK's low-level server over its own transports: `[asks] [http PORT]`.

With `asks` it calls a scripted service through httpx; without it the answer is a constant.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NO_BUDGET = {"spent_today": 0, "budget_left": None, "next_step": None}
TOOL = Tool(name="get_credits", input_schema={"type": "object"})


async def knowing() -> int:
    """Return a constant."""
    return 250


def asking() -> Callable[[], Awaitable[int]]:
    """A function that calls the scripted service."""
    import httpx

    from bench.face_servers.scripted import URL, Scripted

    http = httpx.AsyncClient(base_url=URL, transport=Scripted())

    async def ask() -> int:
        return int((await http.get("/v1/credits")).json()["balance"])

    return ask


def make_server() -> Server[Any]:
    """A server with one tool."""
    credits_of = asking() if "asks" in sys.argv else knowing

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[TOOL])

    async def call_tool(_context: Any, _params: Any) -> CallToolResult:
        answer = {"balance": await credits_of(), **NO_BUDGET}
        text = TextContent(type="text", text=json.dumps(answer))
        return CallToolResult(content=[text], structured_content=answer)

    return Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio() -> None:
    """Serve until stdin is closed."""
    server = make_server()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def serve_http(port: int) -> None:
    """Serve until a signal."""
    import uvicorn

    app = make_server().streamable_http_app(stateless_http=True)
    uvicorn.run(app, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    if "http" in sys.argv:
        serve_http(int(sys.argv[-1]))
    else:
        anyio.run(serve_stdio)
