"""`subscriptions/listen`: a stream of news for one client of the era without a handshake."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.types import (
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenResult,
)
from pydantic import BaseModel

from mcp_enrichment.mcp import resources
from mcp_enrichment.mcp.models import MAX_IDS
from mcp_enrichment.mcp.protocol_errors import with_protocol_errors
from mcp_enrichment.mcp.tasks import require
from mcp_enrichment.mcp.watches import when_final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup
    from mcp.server.context import ServerRequestContext
    from mcp.types import SubscriptionsListenRequestParams

    from mcp_enrichment.mcp.runner import GetClient
    from mcp_enrichment.mcp.task_ids import Task
    from mcp_enrichment.mcp.tasks import Tasks

TASK_IDS = "taskIds"


class TaskNotification(BaseModel):
    """What the tasks extension adds to the SDK's notifications."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: dict[str, Any]


async def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamLimits:
    """How long a client may listen. One whose stream ends in order asks anew."""

    seconds: float = math.inf
    is_over: anyio.Event = field(default_factory=anyio.Event)
    """Set when the process is told to end."""
    is_authorized: Callable[[], Awaitable[bool]] = _always
    """Whether the client may still be told anything; asked before each notification."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionsListen:
    """Tells on the request's own stream, until its client closes that or its bounds are reached."""

    get_client: GetClient
    tasks: Tasks
    bounds: StreamLimits

    async def listen(
        self, context: ServerRequestContext[Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Say first what will be told, then tell each as it becomes final."""
        uris = params.notifications.resource_subscriptions or []
        watched = {uri: found for uri in uris[:MAX_IDS] if (found := resources.id_in(uri))}
        tasks = await self._tasks_in(context, params.notifications)
        meta = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        await _acknowledge(context, list(watched), list(tasks), meta)
        async with anyio.create_task_group() as watches:
            for uri, enrichment_id in watched.items():
                tell = partial(self._tell, watches, partial(_tell_resource, context, uri, meta))
                watches.start_soon(when_final, self.get_client, [enrichment_id], tell)
            for task_id, task in tasks.items():
                news = partial(self._tell_task, context, task_id, meta)
                tell = partial(self._tell, watches, news)
                watches.start_soon(when_final, self.get_client, task.ids, tell)
            with anyio.move_on_after(self.bounds.seconds):
                await self.bounds.is_over.wait()
            watches.cancel_scope.cancel()
        return SubscriptionsListenResult(_meta=meta)

    async def _tell(self, watches: TaskGroup, news: Callable[[], Awaitable[None]]) -> None:
        if await self.bounds.is_authorized():
            await news()
        else:
            watches.cancel_scope.cancel()

    async def _tasks_in(
        self, context: ServerRequestContext[Any], wanted: SubscriptionFilter
    ) -> Mapping[str, Task]:
        named = (wanted.model_extra or {}).get(TASK_IDS)
        if not named or not isinstance(named, list):
            return {}
        require(context)
        found: dict[str, Task] = {}
        for task_id in map(str, named[:MAX_IDS]):
            try:
                found[task_id] = await with_protocol_errors(
                    "subscriptions/listen", self.tasks.verify(task_id)
                )
            except MCPError:
                continue  # what is not told is not acknowledged either
        return found

    async def _tell_task(
        self, context: ServerRequestContext[Any], task_id: str, meta: dict[str, Any]
    ) -> None:
        news = TaskNotification(params=await self.tasks.look(task_id) | {"_meta": meta})
        await context.session.send_notification(
            news,  # type: ignore[arg-type]  # the SDK's union knows no extension's notifications
            related_request_id=context.request_id,
        )


async def _acknowledge(
    context: ServerRequestContext[Any], uris: list[str], tasks: list[str], meta: dict[str, Any]
) -> None:
    honoured = SubscriptionFilter(resource_subscriptions=uris or None)
    if tasks:
        honoured = SubscriptionFilter.model_validate(honoured.model_dump() | {TASK_IDS: tasks})
    told = SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
    await context.session.send_notification(
        SubscriptionsAcknowledgedNotification(params=told), related_request_id=context.request_id
    )


async def _tell_resource(
    context: ServerRequestContext[Any], uri: str, meta: dict[str, Any]
) -> None:
    updated = ResourceUpdatedNotificationParams(uri=uri, _meta=meta)
    await context.session.send_notification(
        ResourceUpdatedNotification(params=updated), related_request_id=context.request_id
    )
