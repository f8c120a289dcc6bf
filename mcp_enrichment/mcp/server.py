"""The MCP server: tools, resources and a prompt on the SDK's low-level server.

It serves protocol versions with a handshake and those without one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    DiscoverResult,
    ListToolsResult,
    PaginatedRequestParams,
    PromptsCapability,
    RequestParams,
    ResourcesCapability,
    ServerCapabilities,
    ToolsCapability,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.mcp import prompts
from mcp_enrichment.mcp.middleware import TracingMiddleware, normalize_arguments
from mcp_enrichment.mcp.resources import Resources
from mcp_enrichment.mcp.runner import ToolRunner
from mcp_enrichment.mcp.sdk import take_tracing_middleware
from mcp_enrichment.mcp.stdio.transport import transport
from mcp_enrichment.mcp.subscriptions import (
    StreamLimits,
    Subscriptions,
    SubscriptionsListen,
    background_tasks,
)
from mcp_enrichment.mcp.tasks import EXTENSION, METHODS, Tasks
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from mcp_enrichment.client.protocols import GetClient
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Finds the work or personal email of a LinkedIn profile. Lookups take seconds to minutes and "
    "cost credits. request_email_enrichment and wait_for_enrichment do the waiting: never poll, "
    "never request the same person twice, and never construct an address that no tool returned."
)

DISCOVERED = DiscoverResult(
    supported_versions=list(MODERN_PROTOCOL_VERSIONS),
    # The SDK's own would promise notifications when lists change. Ours never do.
    capabilities=ServerCapabilities(
        tools=ToolsCapability(list_changed=False),
        resources=ResourcesCapability(subscribe=True, list_changed=False),
        prompts=PromptsCapability(list_changed=False),
        extensions={EXTENSION: {}},
    ),
    instructions=INSTRUCTIONS,
)

LISTED = ListToolsResult(tools=[tool.to_mcp() for tool in TOOLS])
_INPUT_SCHEMAS = {tool.name: tool.input_schema for tool in LISTED.tools}


def create_server(
    get_client: GetClient,
    *,
    confirm: bool = False,
    keeps_connections: bool = True,
    limits: StreamLimits | None = None,
) -> Server[Any]:
    """The server. `get_client` is called by the first call that needs the client.

    `confirm`: the user must consent before a credit is spent. `keeps_connections`: the transport
    can send notifications outside a request: stdio can, stateless HTTP cannot. `limits`: when a
    stream of `subscriptions/listen` ends; None: never.
    """
    resources, tasks = Resources(get_client), Tasks(get_client)
    subscriptions = Subscriptions(get_client)
    listening = SubscriptionsListen(get_client, tasks, limits or StreamLimits())
    server = Server(
        PROGRAM,
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=background_tasks,
        # Each call over HTTP reads it; the SDK's default would build the list of tools each time.
        get_tool_input_schema=_INPUT_SCHEMAS.get,
        on_list_tools=_list_tools,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
        on_subscribe_resource=subscriptions.subscribe if keeps_connections else None,
        on_unsubscribe_resource=subscriptions.unsubscribe if keeps_connections else None,
        on_subscriptions_listen=listening.listen,
        on_list_prompts=prompts.list_prompts,
        on_get_prompt=prompts.get_prompt,
    )
    # Not an argument of Server: its type does not allow a task as the result.
    runner = ToolRunner(get_client, confirm)
    server.add_request_handler("tools/call", CallToolRequestParams, runner.call)
    server.add_request_handler("server/discover", RequestParams, _discover)
    tasks.serve_on(server)
    names = [*_INPUT_SCHEMAS, prompts.NAME]
    traced = TracingMiddleware(take_tracing_middleware(server), methods=METHODS, names=names)
    server.middleware = [traced, normalize_arguments]
    return server


async def _list_tools(
    _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
) -> ListToolsResult:
    return LISTED


async def _discover(_context: ServerRequestContext[Any], _params: RequestParams) -> DiscoverResult:
    return DISCOVERED


async def serve(
    get_client: GetClient, *, confirm: bool = False, early: EarlyAnswers | None = None
) -> None:
    """Serve one client over stdin and stdout until it closes a pipe.

    `early`: has answered the client's first requests.
    """
    server = create_server(get_client, confirm=confirm)
    try:
        async with transport(early) as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client has closed stdout before all responses were sent")
