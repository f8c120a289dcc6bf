"""The MCP server: four tools on the SDK's low-level server, for both eras of the protocol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    ListToolsResult,
    PaginatedRequestParams,
)

from mcp_enrichment import __version__
from mcp_enrichment.mcp.calls import Caller, GetClient, Result
from mcp_enrichment.mcp.stdio import transport
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

logger = logging.getLogger(__name__)

NAME = "mcp-enrichment"
INSTRUCTIONS = (
    "Finds the work or personal email of a LinkedIn profile. Lookups take seconds to minutes and "
    "cost credits. request_email_enrichment and wait_for_enrichment do the waiting: never poll, "
    "never request the same person twice, and never construct an address that no tool returned."
)

_BY_NAME = {tool.name: tool for tool in TOOLS}


def create_server(get_client: GetClient, *, confirm: bool = False) -> Server[Any]:
    """The server; `get_client` is called by the first tool call that needs it, and not before.

    `confirm`: the person is asked before a credit is spent.
    """
    listing = ListToolsResult(tools=[tool.on_the_wire() for tool in TOOLS])
    caller = Caller(get_client=get_client, confirm=confirm)

    async def list_tools(
        _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return listing

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> Result:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no tool of this name.")
        return await caller.call(tool, params, context)

    return Server(
        NAME,
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve(get_client: GetClient, *, confirm: bool = False) -> None:
    """Serve one client over stdin and stdout until it closes a pipe."""
    server = create_server(get_client, confirm=confirm)
    try:
        async with transport() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client has left without waiting for its answers")
