"""The extension `io.modelcontextprotocol/tasks` of 2026-07-28: a wait that is come back to.

Only a client that declares it is given a task. Cancelling one stops the waiting, never the lookup.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    RequestParams,
)

from mcp_enrichment.client.results import as_reused
from mcp_enrichment.contract.errors import EnrichmentError, UnknownEnrichment
from mcp_enrichment.mcp import results
from mcp_enrichment.mcp.convert import to_enrichment, to_wait_output
from mcp_enrichment.mcp.protocol import is_modern
from mcp_enrichment.mcp.protocol_errors import with_protocol_errors
from mcp_enrichment.mcp.task_deferral import look_seconds
from mcp_enrichment.mcp.task_ids import EXTENSION, Task, TaskKind, are_declared, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult
    from pydantic import BaseModel

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.mcp.runner import GetClient

GET, UPDATE, CANCEL = METHODS = ("tasks/get", "tasks/update", "tasks/cancel")


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


def require(context: ServerRequestContext[Any]) -> None:
    """Raises `MCPError` where the request's client does not declare the extension."""
    if not is_modern(context):
        raise MCPError(METHOD_NOT_FOUND, "Method not found")
    if not are_declared(context):
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This needs a client that declares the tasks extension.",
            {"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasks:
    """Answers for the tasks of any process: all there is to know of one stands in its id."""

    get_client: GetClient

    def serve_on(self, server: Server[Any]) -> None:
        """Add the extension's methods."""
        server.add_request_handler(GET, TaskParams, self.get)
        server.add_request_handler(UPDATE, UpdateParams, self.update)
        server.add_request_handler(CANCEL, TaskParams, self.cancel)

    async def get(self, context: ServerRequestContext[Any], params: TaskParams) -> dict[str, Any]:
        """The task as it stands, with its result once it has one."""
        require(context)
        return await with_protocol_errors(GET, self.look(params.task_id))

    async def update(
        self, context: ServerRequestContext[Any], params: UpdateParams
    ) -> dict[str, Any]:
        """Nothing is to be done: no task asks for input."""
        return await self._acknowledged(UPDATE, context, params)

    async def cancel(
        self, context: ServerRequestContext[Any], params: TaskParams
    ) -> dict[str, Any]:
        """Nothing is to be done: between two looks nobody waits."""
        return await self._acknowledged(CANCEL, context, params)

    async def _acknowledged(
        self, method: str, context: ServerRequestContext[Any], params: TaskParams
    ) -> dict[str, Any]:
        require(context)
        await with_protocol_errors(method, self.verify(params.task_id))
        return {}

    async def verify(self, task_id: str) -> Task:
        """The task of this id. Raises `MCPError` where this account has none."""
        client = await self.get_client()
        task = verify(task_id, client.signature)
        if task is None:
            raise _unknown()
        return task

    async def look(self, task_id: str) -> dict[str, Any]:
        """The task on the wire, once its enrichments were read."""
        task = await self.verify(task_id)
        try:
            answers = await (await self.get_client()).wait(task.ids, look_seconds(len(task.ids)))
        except UnknownEnrichment as error:
            raise _unknown() from error
        except EnrichmentError as error:
            if error.retryable and not task.is_overdue:
                return task.to_json(task_id, "working", statusMessage=error.to_assistant())
            return _completed(task, task_id, results.from_error(error))
        final = sum(not answer.should_wait for answer in answers)
        if final < len(answers) and not task.is_overdue:
            said = f"{final} of {len(answers)} lookups have ended."
            return task.to_json(task_id, "working", statusMessage=said)
        return _completed(task, task_id, results.from_output(_answer(task, answers)))


def _unknown() -> MCPError:
    return MCPError(INVALID_PARAMS, "There is no such task.")


def _completed(task: Task, task_id: str, result: CallToolResult) -> dict[str, Any]:
    told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return task.to_json(task_id, "completed", result=told)


def _answer(task: Task, answers: Sequence[EnrichmentResult]) -> BaseModel:
    """What the call that the task stands for would have returned."""
    if task.kind is TaskKind.WAIT:
        return to_wait_output(answers, seconds=task.age)
    [answer] = answers
    if task.kind is TaskKind.JOINED:
        answer = replace(as_reused(answer), external_id=None)  # it is of the earlier request
    return to_enrichment(answer)
