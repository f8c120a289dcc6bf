"""When a call that waits is answered by a task: where it is not final after a first look."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mcp_enrichment.mcp.models import EnrichmentOutput, RequestArguments, WaitArguments, WaitOutput
from mcp_enrichment.mcp.task_ids import Sign, Task, TaskKind, are_declared

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from pydantic import BaseModel

    from mcp_enrichment.mcp.models import Arguments

LOOK = 2.0
"""Seconds for which a call waits before it becomes a task, and a task is looked at."""
LOOK_FOR_EACH = 0.05
"""Seconds more for each enrichment: ten are read at once, in half a second."""


def may_defer(context: ServerRequestContext[Any], arguments: Arguments) -> bool:
    """Whether the call may be answered by a task: it waits, and its client declares them."""
    waits = isinstance(arguments, WaitArguments) or (
        isinstance(arguments, RequestArguments) and arguments.wait_seconds > 0
    )
    return waits and are_declared(context)


def first_look(arguments: Arguments) -> Arguments:
    """The same call, with no more waiting than what comes before a task."""
    if isinstance(arguments, WaitArguments):
        seconds = min(arguments.timeout_seconds, look_seconds(len(arguments.ids)))
        return arguments.model_copy(update={"timeout_seconds": seconds})
    assert isinstance(arguments, RequestArguments)  # noqa: S101 (no other call is welcome)
    seconds = min(arguments.wait_seconds, LOOK)
    return arguments.model_copy(update={"wait_seconds": seconds})


def is_final(answer: BaseModel) -> bool:
    """Whether nothing is left to wait for."""
    assert isinstance(answer, WaitOutput | EnrichmentOutput)  # noqa: S101 (no other call is welcome)
    return answer.all_final if isinstance(answer, WaitOutput) else answer.is_final


def to_task(answer: BaseModel, arguments: Arguments, sign: Sign) -> dict[str, Any] | None:
    """The task in place of this answer, which is not final; None where none can stand for it."""
    now = int(time.time())
    if isinstance(answer, WaitOutput):
        task = Task(kind=TaskKind.WAIT, ids=[one.id for one in answer.enrichments], created_at=now)
    else:
        assert isinstance(answer, EnrichmentOutput) and isinstance(arguments, RequestArguments)  # noqa: S101, PT018
        if answer.reused and (arguments.external_id or arguments.callback_url):
            return None  # the earlier request would be told with its own reference and callback
        kind = TaskKind.JOINED if answer.reused else TaskKind.REQUEST
        task = Task(kind=kind, ids=[answer.id], created_at=now)
    task_id = task.encode(sign)
    if task_id is None:
        return None
    return {"resultType": "task", **task.to_json(task_id, "working")}


def look_seconds(many: int) -> float:
    """How long so many enrichments may take to be read once."""
    return LOOK + LOOK_FOR_EACH * many
