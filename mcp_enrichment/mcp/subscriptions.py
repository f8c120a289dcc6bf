"""Notifies clients when an enrichment or a task becomes final.

A client with a handshake subscribes by `resources/subscribe`; its subscriptions end with its
connection. A client without one calls `subscriptions/listen`, whose response is the stream.
"""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenResult,
)
from pydantic import BaseModel

from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.mcp import resources
from mcp_enrichment.mcp.arguments import MAX_IDS
from mcp_enrichment.mcp.results import with_protocol_errors
from mcp_enrichment.mcp.sdk import connection_of
from mcp_enrichment.mcp.tasks import require_support

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from anyio.abc import TaskGroup
    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.types import (
        SubscribeRequestParams,
        SubscriptionsListenRequestParams,
        UnsubscribeRequestParams,
    )

    from mcp_enrichment.client.scoped import GetClient
    from mcp_enrichment.mcp.tasks import Task, Tasks

logger = logging.getLogger(__name__)

ROUND = 600.0
"""Seconds of one wait. The next one follows at once."""
PAUSE = 5.0
"""Seconds until the next wait after a transient error."""
TASK_IDS = "taskIds"
SCOPES = "enrichment subscriptions"
"""The key under which a connection holds the cancel scope of each subscribed URI."""


async def notify_when_final(
    get_client: GetClient, ids: Sequence[str], notify: Callable[[], Awaitable[None]]
) -> None:
    """Call `notify` once the enrichments are final. After a permanent error it is not called.

    Raises nothing.
    """
    try:
        if await _wait_until_final(get_client, ids):
            await notify()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        logger.info("a subscriber left before it was notified")
    except Exception as defect:  # noqa: BLE001 (one subscription may not end the server)
        logger.error("a subscription raised %s", safe_traceback(defect))  # noqa: TRY400 (without its text)


async def _wait_until_final(get_client: GetClient, ids: Sequence[str]) -> bool:
    while True:
        try:
            client = await get_client()
            found = await client.wait(ids, ROUND)
        except EnrichmentError as error:
            if not error.retryable:
                logger.info("a subscription ended: %s", error.code)
                return False
            await anyio.sleep(error.retry_after or PAUSE)
        else:
            if all(result.is_final for result in found):
                return True


@asynccontextmanager
async def background_tasks(_server: object) -> AsyncIterator[TaskGroup]:
    """The task group of `resources/subscribe`: a subscription outlives its request."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


async def subscribe(
    get_client: GetClient, context: ServerRequestContext[TaskGroup], params: SubscribeRequestParams
) -> EmptyResult:
    """Notify this connection once the enrichment is final."""
    if params.uri == resources.CREDITS:
        raise MCPError(INVALID_PARAMS, "Credits cannot be subscribed to: read them when needed.")
    found = await with_protocol_errors(
        "resources/subscribe", resources.enrichment_at(params.uri, context, get_client)
    )
    scopes = _scopes_of(connection := connection_of(context))
    if params.uri not in scopes:
        if len(scopes) >= MAX_IDS:
            raise MCPError(INVALID_PARAMS, f"No more than {MAX_IDS} subscriptions at once.")
        scope = scopes[params.uri] = anyio.CancelScope()
        notify = partial(connection.send_resource_updated, params.uri)
        work = partial(notify_when_final, get_client, [found.id], notify)
        context.lifespan_context.start_soon(_run_in_scope, scopes, params.uri, scope, work)
    return EmptyResult()


async def unsubscribe(
    context: ServerRequestContext[TaskGroup], params: UnsubscribeRequestParams
) -> EmptyResult:
    """Cancel the subscription."""
    if scope := _scopes_of(connection_of(context)).pop(params.uri, None):
        scope.cancel()
    return EmptyResult()


async def _run_in_scope(
    scopes: dict[str, anyio.CancelScope],
    uri: str,
    scope: anyio.CancelScope,
    work: Callable[[], Awaitable[None]],
) -> None:
    with scope:
        await work()
    if scopes.get(uri) is scope:  # it no longer counts
        del scopes[uri]


def _scopes_of(connection: Connection) -> dict[str, anyio.CancelScope]:
    if SCOPES not in connection.state:
        # One callback for the connection: one for each subscription would outlive it.
        connection.exit_stack.callback(_cancel_all, connection.state.setdefault(SCOPES, {}))
    scopes: dict[str, anyio.CancelScope] = connection.state[SCOPES]
    return scopes


def _cancel_all(scopes: dict[str, anyio.CancelScope]) -> None:
    for scope in scopes.values():
        scope.cancel()


class TaskNotification(BaseModel):
    """The notification of the tasks extension, which the SDK does not have."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: dict[str, Any]


async def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamLimits:
    """When a stream of `subscriptions/listen` ends. The client then calls it again."""

    seconds: float = math.inf
    is_over: anyio.Event = field(default_factory=anyio.Event)
    """Set when the process shuts down."""
    is_authorized: Callable[[], Awaitable[bool]] = _always
    """Whether the client may still be notified. Called before each notification."""


@dataclass(frozen=True, slots=True)
class SubscriptionsListen:
    """`subscriptions/listen`: notifies on the request's own stream."""

    get_client: GetClient
    tasks: Tasks
    limits: StreamLimits

    async def listen(
        self, context: ServerRequestContext[Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Acknowledge the subscriptions, then notify once for each that becomes final."""
        uris = params.notifications.resource_subscriptions or []
        resource_ids = {uri: found for uri in uris[:MAX_IDS] if (found := resources.id_in(uri))}
        tasks = await self._find_tasks(context, params.notifications)
        meta = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        await _send(context, _acknowledgement(list(resource_ids), list(tasks), meta))
        async with anyio.create_task_group() as group:
            for uri, enrichment_id in resource_ids.items():
                updated = ResourceUpdatedNotificationParams(uri=uri, _meta=meta)
                send = partial(_send, context, ResourceUpdatedNotification(params=updated))
                self._start(group, [enrichment_id], send)
            for task_id, task in tasks.items():
                self._start(group, task.ids, partial(self._notify_task, context, task_id, meta))
            with anyio.move_on_after(self.limits.seconds):
                await self.limits.is_over.wait()
            group.cancel_scope.cancel()
        return SubscriptionsListenResult(_meta=meta)

    def _start(
        self, group: TaskGroup, ids: Sequence[str], send: Callable[[], Awaitable[None]]
    ) -> None:
        async def send_if_authorized() -> None:
            if await self.limits.is_authorized():
                await send()
            else:
                group.cancel_scope.cancel()

        group.start_soon(notify_when_final, self.get_client, ids, send_if_authorized)

    async def _find_tasks(
        self, context: ServerRequestContext[Any], wanted: SubscriptionFilter
    ) -> Mapping[str, Task]:
        task_ids = (wanted.model_extra or {}).get(TASK_IDS)
        if not task_ids or not isinstance(task_ids, list):
            return {}
        require_support(context)
        found: dict[str, Task] = {}
        for task_id in map(str, task_ids[:MAX_IDS]):
            try:
                work = self.tasks.find(task_id)
                found[task_id] = await with_protocol_errors("subscriptions/listen", work)
            except MCPError:
                continue  # an unknown task is not acknowledged
        return found

    async def _notify_task(
        self, context: ServerRequestContext[Any], task_id: str, meta: dict[str, Any]
    ) -> None:
        task = await self.tasks.poll(task_id)
        await _send(context, TaskNotification(params=task | {"_meta": meta}))


def _acknowledgement(
    uris: list[str], tasks: list[str], meta: dict[str, Any]
) -> SubscriptionsAcknowledgedNotification:
    honoured = SubscriptionFilter(resource_subscriptions=uris or None)
    if tasks:
        honoured = SubscriptionFilter.model_validate(honoured.model_dump() | {TASK_IDS: tasks})
    params = SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
    return SubscriptionsAcknowledgedNotification(params=params)


async def _send(context: ServerRequestContext[Any], notification: Any) -> None:
    """Send on the stream of the request. The SDK's type of notifications has no extensions."""
    await context.session.send_notification(notification, related_request_id=context.request_id)
