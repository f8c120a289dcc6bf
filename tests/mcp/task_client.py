"""A client of the tasks extension, and its methods as raw requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anyio
from mcp.client.extension import ClientExtension, NotificationBinding, ResultClaim
from mcp.types import CallToolResult, Request, Result
from pydantic import BaseModel, ConfigDict, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp import Client
    from mcp.client.extension import ClaimContext
    from mcp.client.session import ClientSession

EXTENSION = "io.modelcontextprotocol/tasks"
REQUEST, WAIT = "request_email_enrichment", "wait_for_enrichment"
METHODS = [("tasks/get", {}), ("tasks/update", {"inputResponses": {}}), ("tasks/cancel", {})]
ANY = TypeAdapter(dict[str, Any])


class CreatedTask(Result):
    """The answer to a call in place of its result."""

    result_type: Literal["task"]
    task_id: str
    status: str
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class News(BaseModel):
    model_config = ConfigDict(extra="allow")


class OfATask(Request[dict[str, Any], str]):
    name_param: ClassVar[str | None] = "taskId"


class TaskClient(ClientExtension):
    """Polls a task to its end, and records its tasks and notifications."""

    identifier = EXTENSION

    def __init__(self) -> None:
        self.given: list[CreatedTask] = []
        self.seen: list[dict[str, Any]] = []
        self.news: list[dict[str, Any]] = []
        self.is_notified = anyio.Event()
        self.patient = True
        self.on_poll: Callable[[], None] = lambda: None

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=self._resolve)]

    def notifications(self) -> list[NotificationBinding[Any]]:
        return [
            NotificationBinding(method="notifications/tasks", params_type=News, handler=self._hear)
        ]

    async def _resolve(self, task: CreatedTask, context: ClaimContext) -> CallToolResult:
        self.given.append(task)
        while self.patient:
            now = await send_about_task(context.session, "tasks/get", task.task_id)
            self.seen.append(now)
            self.on_poll()
            if now["status"] == "completed":
                return CallToolResult.model_validate(now["result"])
            await anyio.sleep(0.05)
        return CallToolResult(content=[], is_error=True)

    async def _hear(self, news: News) -> None:
        self.news.append(news.model_extra or {})
        self.is_notified.set()


async def send_about_task(
    session: ClientSession, method: str, task_id: str, **more: Any
) -> dict[str, Any]:
    """The answer to a bare request about a task."""
    request = OfATask(method=method, params={"taskId": task_id, **more})
    return await session.send_request(request, ANY)


async def task_of(client: Client, tasks: TaskClient, tool: str, arguments: dict[str, Any]) -> str:
    """The id of the task that answers the call; nothing polls it."""
    tasks.patient = False
    await client.call_tool(tool, arguments)
    tasks.patient = True
    return tasks.given[-1].task_id
