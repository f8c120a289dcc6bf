"""The MCP server: four tools on the SDK's low-level server, for both eras of the protocol."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import ValidationError

from mcp_enrichment import __version__
from mcp_enrichment.contract.defects import told
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    Permanent,
    ServiceUnavailable,
)
from mcp_enrichment.mcp import results
from mcp_enrichment.mcp.tools import TOOLS, Tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from mcp_enrichment.client.port import Enrichments
    from mcp_enrichment.mcp.models import Arguments

logger = logging.getLogger(__name__)

NAME = "mcp-enrichment"
INSTRUCTIONS = (
    "Finds the work or personal email of a LinkedIn profile. Lookups take seconds to minutes and "
    "cost credits. request_email_enrichment and wait_for_enrichment do the waiting: never poll, "
    "never request the same person twice, and never construct an address that no tool returned."
)
PROGRESS_EVERY = 3.0
"""Seconds between two progress notifications of a call that waits."""

GRACE = 0.5
"""Seconds after its cap at which a call that has not come back is cut off."""


class CutOff(ServiceUnavailable):
    """A call that spends has reached its cap while its POST may be under way."""

    charged = None
    sentence = (
        "The enrichment service did not answer in time, so it is not known whether a lookup was "
        "started; one credit may have been charged. Call again in a minute with the same "
        "arguments: a request that is under way is joined, not paid for twice."
    )


class Defect(Permanent):
    """A defect of ours: what it is stands in the log, without the text that it came with."""

    code = "internal_error"
    charged = None
    sentence = (
        "This MCP server failed in a way that was not foreseen, and it is not known whether a "
        "credit was charged. Do not call again with the same arguments: tell the user, and that "
        "the server's log on stderr says where it failed."
    )


_BY_NAME = {tool.name: tool for tool in TOOLS}

GetClient = Callable[[], Awaitable["Enrichments"]]


def create_server(get_client: GetClient) -> Server[Any]:
    """The server; `get_client` is called by the first tool call that needs it, and not before."""
    listing = ListToolsResult(tools=[tool.on_the_wire() for tool in TOOLS])

    async def list_tools(
        _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return listing

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no tool of this name.")
        try:
            arguments = _validated(tool, params.arguments or {})
        except InvalidArguments as error:
            return results.of_error(error)
        return await _run(tool, arguments, get_client, context)

    return Server(
        NAME,
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _validated(tool: Tool, arguments: dict[str, Any]) -> Arguments:
    try:
        return tool.arguments.model_validate(arguments)
    except ValidationError as error:
        known = list(tool.arguments.model_fields)
        raise InvalidArguments(results.what_is_wrong(error, known)) from None


async def _run(
    tool: Tool, arguments: Arguments, get_client: GetClient, context: ServerRequestContext[Any]
) -> CallToolResult:
    """Carry it out within its cap, reporting progress meanwhile."""
    result = results.of_error(ServiceUnavailable() if _is_free(tool) else CutOff())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_report_progress, context, arguments.cap)
        with anyio.move_on_after(arguments.cap + GRACE):
            result = await _carry_out(tool, arguments, get_client)
        tasks.cancel_scope.cancel()
    return result


async def _carry_out(tool: Tool, arguments: Arguments, get_client: GetClient) -> CallToolResult:
    began = anyio.current_time()
    try:
        client = await get_client()
        answer = await tool.run(client, arguments, anyio.current_time() - began)
        return results.of_answer(answer)
    except EnrichmentError as error:
        return results.of_error(error)
    except Exception as defect:  # noqa: BLE001 (the SDK would tell the client or the log its text)
        return _of_defect(tool, defect)


def _of_defect(tool: Tool, defect: Exception) -> CallToolResult:
    logger.error("%s raised %s", tool.name, told(defect))
    return results.of_error(Defect())


def _is_free(tool: Tool) -> bool:
    return bool(tool.annotations.read_only_hint)


async def _report_progress(context: ServerRequestContext[Any], cap: float) -> None:
    began = anyio.current_time()
    while True:
        await anyio.sleep(PROGRESS_EVERY)
        elapsed = round(anyio.current_time() - began, 1)
        await context.session.report_progress(elapsed, cap, "waiting for the lookup")


async def serve(get_client: GetClient) -> None:
    """Serve one client over stdin and stdout until it closes a pipe."""
    server = create_server(get_client)
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client has left without waiting for its answers")
