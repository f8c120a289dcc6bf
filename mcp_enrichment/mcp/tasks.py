"""The extension `io.modelcontextprotocol/tasks` of 2026-07-28: a wait that a client polls.

A task's id holds all of its data, signed by the account: any process can answer for it, and nothing
is stored. Whether the caller may read the enrichments is checked at each poll. Only a client that
declares the extension gets a task. Cancelling a task ends the waiting, never the lookup.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from hmac import compare_digest
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
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.mcp import results
from mcp_enrichment.mcp.arguments import MAX_IDS, ListArguments, RequestArguments, WaitArguments
from mcp_enrichment.mcp.lists import TableOutput, read_lists, split_ids, to_table
from mcp_enrichment.mcp.next_steps import MAX_WAIT_SECONDS
from mcp_enrichment.mcp.outputs import (
    EnrichmentOutput,
    WaitOutput,
    to_enrichment,
    to_wait_output,
)
from mcp_enrichment.mcp.sdk import is_modern

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult
    from pydantic import BaseModel

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.scoped import GetClient
    from mcp_enrichment.mcp.arguments import Arguments

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
GET, UPDATE, CANCEL = METHODS = ("tasks/get", "tasks/update", "tasks/cancel")
Sign = Callable[[str], str]
"""Computes 32 hex digits of a text, which only this account and caller can compute."""

SHORT_WAIT = 2.0
"""Seconds for which a call waits before it becomes a task, and for which a poll waits."""
LOOK_FOR_EACH = 0.05
"""Seconds more for each enrichment: ten are read at once, in half a second."""
MAX_ID_LENGTH = 6144
"""Characters. A client also sends the id in an HTTP header, which many servers limit to 8 KiB."""
POLL_EVERY = 2.0
POLL_EVERY_FOR_EACH = 0.25
"""Seconds more for each enrichment."""
POLL_SHARE = 0.05
"""The poll interval is at least this share of the task's age."""
_ID_FORMAT = re.compile(r"([wrjl])\.([0-9]{1,12})\.([A-Za-z0-9_.-]+)\.([0-9a-f]{32})")


class TaskKind(StrEnum):
    """The call that the task replaces. It decides the form of the result."""

    WAIT = "w"
    REQUEST = "r"
    JOINED = "j"
    """A request that an earlier one has answered, which costs nothing."""
    LIST = "l"
    """A list. Its only id is that of the saved list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A wait that continues after its call has returned."""

    kind: TaskKind
    ids: Sequence[str]
    created_at: int
    """Seconds since the epoch."""

    @property
    def age(self) -> float:
        """Seconds."""
        return max(time.time() - self.created_at, 0.0)

    @property
    def is_overdue(self) -> bool:
        """Whether the client should stop waiting."""
        return self.age >= MAX_WAIT_SECONDS

    def encode(self, sign: Sign) -> str | None:
        """The task's id; None if it is too long."""
        plain = ".".join([self.kind, str(self.created_at), *self.ids])
        task_id = f"{plain}.{sign(plain)}"
        return task_id if len(task_id) <= MAX_ID_LENGTH else None

    def to_json(self, task_id: str, status: str, **more: Any) -> dict[str, Any]:
        """The task as the extension defines it."""
        every = max(POLL_EVERY, POLL_EVERY_FOR_EACH * len(self.ids), POLL_SHARE * self.age)
        return {
            "taskId": task_id,
            "status": status,
            "createdAt": _iso(self.created_at),
            "lastUpdatedAt": _iso(time.time()),
            "ttlMs": int(MAX_WAIT_SECONDS * 1000),
            "pollIntervalMs": int(every * 1000),
            **more,
        }


def verify(task_id: str, sign: Sign) -> Task | None:
    """The task of this id; None if this account has not signed the id."""
    found = _ID_FORMAT.fullmatch(task_id) if len(task_id) <= MAX_ID_LENGTH else None
    if found is None or not compare_digest(sign(task_id.rpartition(".")[0]), found[4]):
        return None
    ids = found[3].split(".")
    if len(ids) > MAX_IDS or not all(re.fullmatch(ENRICHMENT_ID, one) for one in ids):
        return None
    return Task(kind=TaskKind(found[1]), ids=ids, created_at=int(found[2]))


def is_supported(context: ServerRequestContext[Any]) -> bool:
    """Whether the client of this request declares the extension."""
    declared = context.session.client_capabilities
    return is_modern(context) and TASKS_EXTENSION in ((declared and declared.extensions) or {})


def require_support(context: ServerRequestContext[Any]) -> None:
    """Raise `MCPError` unless the client declares the extension."""
    if not is_modern(context):
        raise MCPError(METHOD_NOT_FOUND, "Method not found")
    if not is_supported(context):
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This needs a client that declares the tasks extension.",
            {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}},
        )


def with_short_wait(context: ServerRequestContext[Any], arguments: Arguments) -> Arguments | None:
    """The same call with the wait that precedes a task; None if no task may replace its result: the
    call does not wait, or the client does not support tasks."""
    if not is_supported(context):
        return None
    if isinstance(arguments, ListArguments) and arguments.max_credits is not None:
        return None  # once the call has returned, nobody begins the rows that wait for a credit
    if isinstance(arguments, WaitArguments):
        seconds = min(arguments.timeout_seconds, look_seconds(len(arguments.ids)))
        return arguments.model_copy(update={"timeout_seconds": seconds})
    if isinstance(arguments, RequestArguments | ListArguments) and arguments.wait_seconds > 0:
        seconds = min(arguments.wait_seconds, SHORT_WAIT)
        return arguments.model_copy(update={"wait_seconds": seconds})
    return None


def is_final(output: BaseModel) -> bool:
    """Whether there is nothing to wait for."""
    assert isinstance(output, WaitOutput | TableOutput | EnrichmentOutput)  # noqa: S101 (no other call may defer)
    return output.is_final if isinstance(output, EnrichmentOutput) else output.all_final


def to_task(output: BaseModel, arguments: Arguments, sign: Sign) -> dict[str, Any] | None:
    """A task in place of this output, which is not final; None if no task can represent it."""
    now = int(time.time())
    if isinstance(output, WaitOutput):
        ids = [one.id for one in output.enrichments]
        if output.table and output.table["list_id"]:
            ids.append(output.table["list_id"])
        task = Task(kind=TaskKind.WAIT, ids=ids, created_at=now)
    elif isinstance(output, TableOutput):
        if output.list_id is None:
            return None  # the list could not be saved
        task = Task(kind=TaskKind.LIST, ids=[output.list_id], created_at=now)
    else:
        assert isinstance(output, EnrichmentOutput) and isinstance(arguments, RequestArguments)  # noqa: S101, PT018
        if output.reused and (arguments.external_id or arguments.callback_url):
            return None  # an id does not hold these, and the earlier request has its own
        kind = TaskKind.JOINED if output.reused else TaskKind.REQUEST
        task = Task(kind=kind, ids=[output.id], created_at=now)
    task_id = task.encode(sign)
    if task_id is None:
        return None
    return {"resultType": "task", **task.to_json(task_id, "working")}


def look_seconds(count: int) -> float:
    """Seconds that reading this many enrichments once may take."""
    return SHORT_WAIT + LOOK_FOR_EACH * count


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tasks:
    """The methods of the extension."""

    get_client: GetClient

    def serve_on(self, server: Server[Any]) -> None:
        """Add the methods to the server."""
        server.add_request_handler(GET, TaskParams, self.get)
        server.add_request_handler(UPDATE, UpdateParams, self.acknowledge)
        server.add_request_handler(CANCEL, TaskParams, self.acknowledge)

    async def get(self, context: ServerRequestContext[Any], params: TaskParams) -> dict[str, Any]:
        """The current state of the task, with its result if it has one."""
        require_support(context)
        return await results.with_protocol_errors(GET, self.poll(params.task_id))

    async def acknowledge(
        self, context: ServerRequestContext[Any], params: TaskParams
    ) -> dict[str, Any]:
        """Ignore the input: no task asks for any, and between two polls nothing waits for it."""
        require_support(context)
        await results.with_protocol_errors(context.method, self.find(params.task_id))
        return {}

    async def find(self, task_id: str) -> Task:
        """The task of this id. Raises `MCPError` if this account has none."""
        client = await self.get_client()
        task = verify(task_id, client.signature)
        if task is None:
            raise _unknown()
        return task

    async def poll(self, task_id: str) -> dict[str, Any]:
        """Read the enrichments of a task and return the task as JSON."""
        task, client = await self.find(task_id), await self.get_client()
        lists, ids = split_ids(task.ids)
        try:
            saved = await read_lists(client, lists, only_open=task.kind is TaskKind.WAIT)
            every_id = [*ids, *saved.ids]
            found = await client.wait(every_id, look_seconds(len(every_id)))
        except UnknownEnrichment as error:
            raise _unknown() from error
        except EnrichmentError as error:
            if error.retryable and not task.is_overdue:
                return task.to_json(task_id, "working", statusMessage=error.to_assistant())
            return _completed(task, task_id, results.from_error(error))
        final = sum(not result.should_wait for result in found)
        if final < len(found) and not task.is_overdue:
            message = f"{final} of {len(found)} lookups have ended."
            return task.to_json(task_id, "working", statusMessage=message)
        rows, found = found[len(ids) :], found[: len(ids)]
        table = await to_table(client, saved.entries(rows)) if lists else None
        return _completed(task, task_id, results.from_output(_output(task, found, table)))


def _unknown() -> MCPError:
    return MCPError(INVALID_PARAMS, "There is no such task.")


def _completed(task: Task, task_id: str, result: CallToolResult) -> dict[str, Any]:
    as_json = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return task.to_json(task_id, "completed", result=as_json)


def _output(task: Task, found: Sequence[EnrichmentResult], table: TableOutput | None) -> BaseModel:
    """The output of the call that the task replaces."""
    if task.kind is TaskKind.WAIT:
        return to_wait_output(found, seconds=task.age, table=table)
    if table:
        return table
    [result] = found
    if task.kind is TaskKind.JOINED:
        result = replace(as_reused(result), external_id=None)  # the earlier request's
    return to_enrichment(result)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
