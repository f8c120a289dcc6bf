"""The MCP server: tools, resources and a prompt on the SDK's low-level server.

It serves protocol versions with a handshake and those without one.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    DiscoverResult,
    ListToolsResult,
    PromptsCapability,
    RequestParams,
    ResourcesCapability,
    ServerCapabilities,
    ToolsCapability,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.mcp import apps, prompts, resources, subscriptions
from mcp_enrichment.mcp.middleware import TracingMiddleware, normalize_arguments
from mcp_enrichment.mcp.runner import ToolRunner
from mcp_enrichment.mcp.sdk import take_tracing_middleware
from mcp_enrichment.mcp.subscriptions import StreamLimits, SubscriptionsListen
from mcp_enrichment.mcp.tasks import METHODS, TASKS_EXTENSION, Tasks
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from mcp.server.context import ServerRequestContext

    from mcp_enrichment.client.scoped import GetClient
    from mcp_enrichment.mcp.sdk import Streams
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers

T = TypeVar("T")

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Finds the work or personal email address of people by LinkedIn profile: one "
    "(request_email_enrichment) or many in bulk (request_email_enrichments). Search for these "
    "tools when the user wants to find or look up emails of leads, candidates or other contacts, "
    "waits for such lookups (wait_for_enrichment, get_enrichment), or asks for the credits left "
    "(get_credits). They do not send email, verify a given address, find phone numbers or search "
    "LinkedIn. Lookups take seconds to minutes and cost credits. The tools do the waiting: never "
    "poll, never request the same person twice, and never construct an address that no tool "
    "returned."
)

DISCOVERED = DiscoverResult(
    supported_versions=list(MODERN_PROTOCOL_VERSIONS),
    # The SDK's own would promise notifications when lists change. Ours never do.
    capabilities=ServerCapabilities(
        tools=ToolsCapability(list_changed=False),
        resources=ResourcesCapability(subscribe=True, list_changed=False),
        prompts=PromptsCapability(list_changed=False),
        extensions={TASKS_EXTENSION: {}},
    ),
    instructions=INSTRUCTIONS,
)

LISTED = ListToolsResult(tools=[tool.to_mcp() for tool in TOOLS])
LISTED_WITH_APP = ListToolsResult(
    tools=[
        tool.model_copy(update={"meta": apps.TOOL_META}) if tool.name in apps.WITH_APP else tool
        for tool in LISTED.tools
    ]
)
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
    tasks, runner = Tasks(get_client), ToolRunner(get_client, confirm)
    listening = SubscriptionsListen(get_client, tasks, limits or StreamLimits())
    subscribe = partial(subscriptions.subscribe, get_client)
    server = Server(
        PROGRAM,
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=subscriptions.background_tasks,
        # Each call over HTTP reads it; the SDK's default would build the list of tools each time.
        get_tool_input_schema=_INPUT_SCHEMAS.get,
        on_list_tools=_list_tools,
        on_list_resources=_always(resources.LISTED),
        on_list_resource_templates=_always(resources.TEMPLATES),
        on_read_resource=partial(resources.read_resource, get_client),
        on_subscribe_resource=subscribe if keeps_connections else None,
        on_unsubscribe_resource=subscriptions.unsubscribe if keeps_connections else None,
        on_subscriptions_listen=listening.listen,
        on_list_prompts=_always(prompts.PROMPTS),
        on_get_prompt=prompts.get_prompt,
    )
    # Not an argument of Server: its type does not allow a task as the result.
    server.add_request_handler("tools/call", CallToolRequestParams, runner.call)
    server.add_request_handler("server/discover", RequestParams, _always(DISCOVERED))
    tasks.serve_on(server)
    names = [*_INPUT_SCHEMAS, prompts.NAME]
    traced = TracingMiddleware(take_tracing_middleware(server), methods=METHODS, names=names)
    server.middleware = [traced, normalize_arguments]
    return server


async def _list_tools(context: ServerRequestContext[Any], _params: Any) -> ListToolsResult:
    return LISTED_WITH_APP if apps.is_shown_by(context) else LISTED


def _always(result: T) -> Callable[[ServerRequestContext[Any], Any], Awaitable[T]]:
    async def handle(_context: ServerRequestContext[Any], _params: Any) -> T:
        return result

    return handle


async def serve(
    get_client: GetClient, *, confirm: bool = False, early: EarlyAnswers | None = None
) -> None:
    """Serve one client over stdin and stdout until it closes a pipe.

    `early`: has answered the client's first requests.
    """
    server = create_server(get_client, confirm=confirm)
    try:
        async with _transport(early) as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client has closed stdout before all responses were sent")


def _transport(early: EarlyAnswers | None) -> AbstractAsyncContextManager[Streams]:
    """Our transport, unless an event loop cannot wait for stdin and stdout."""
    if sys.platform != "win32":
        from mcp_enrichment.mcp.stdio import fds, streams  # noqa: PLC0415 (not on Windows)

        if fds.are_pollable():
            return streams.stdio_streams(early)
    return stdio_server()
