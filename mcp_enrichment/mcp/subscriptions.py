"""`resources/subscribe`: a client that has shaken hands is told once an enrichment is final."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
)

from mcp_enrichment.mcp import resources
from mcp_enrichment.mcp.models import MAX_IDS
from mcp_enrichment.mcp.protocol_errors import with_protocol_errors
from mcp_enrichment.mcp.watches import when_final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup
    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.types import SubscribeRequestParams, UnsubscribeRequestParams

    from mcp_enrichment.mcp.runner import GetClient

WATCHES = "enrichment watches"
"""Where a connection keeps what it has subscribed to: a scope for each URI."""


@asynccontextmanager
async def background(_server: object) -> AsyncIterator[TaskGroup]:
    """Where the watches of clients that have shaken hands run: they outlive the request."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriptions:
    """Tells subscribers. What they subscribed to lives and ends with their connection."""

    get_client: GetClient

    async def subscribe(
        self, context: ServerRequestContext[TaskGroup], params: SubscribeRequestParams
    ) -> EmptyResult:
        """Tell this connection once the enrichment is final."""
        if params.uri == resources.CREDITS:
            raise MCPError(
                INVALID_PARAMS, "Credits cannot be subscribed to: read them when needed."
            )
        found = await with_protocol_errors(
            "resources/subscribe", resources.enrichment_at(params.uri, context, self.get_client)
        )
        watches = _watches(connection := _connection(context))
        if params.uri not in watches:
            if len(watches) >= MAX_IDS:
                raise MCPError(INVALID_PARAMS, f"No more than {MAX_IDS} subscriptions at once.")
            scope = watches[params.uri] = anyio.CancelScope()
            tell = partial(connection.send_resource_updated, params.uri)
            watch = partial(when_final, self.get_client, [found.id], tell)
            context.lifespan_context.start_soon(_watched, watches, params.uri, scope, watch)
        return EmptyResult()

    async def unsubscribe(
        self, context: ServerRequestContext[TaskGroup], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        """Tell it no more."""
        if scope := _watches(_connection(context)).pop(params.uri, None):
            scope.cancel()
        return EmptyResult()


async def _watched(
    watches: dict[str, anyio.CancelScope],
    uri: str,
    scope: anyio.CancelScope,
    watch: Callable[[], Awaitable[None]],
) -> None:
    with scope:
        await watch()
    if watches.get(uri) is scope:  # it is told, and counts no more
        del watches[uri]


def _connection(context: ServerRequestContext[Any]) -> Connection:
    """The SDK gives handlers no other way to what ends with the connection."""
    return context.session._connection


def _watches(connection: Connection) -> dict[str, anyio.CancelScope]:
    if WATCHES not in connection.state:
        # One callback for the connection, not one for each subscription: those would outlive it.
        connection.exit_stack.callback(_cancel_all, connection.state.setdefault(WATCHES, {}))
    watches: dict[str, anyio.CancelScope] = connection.state[WATCHES]
    return watches


def _cancel_all(watches: dict[str, anyio.CancelScope]) -> None:
    for scope in watches.values():
        scope.cancel()
