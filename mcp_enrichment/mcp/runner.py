"""Runs one tool call: from its arguments to its result, before its deadline, with progress."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult

from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
from mcp_enrichment.contract.errors import (
    DeadlineExceeded,
    EnrichmentError,
    InvalidArguments,
    NotConfirmed,
    ServiceUnavailable,
    TransientError,
)
from mcp_enrichment.mcp import elicitation, results, tasks
from mcp_enrichment.mcp.arguments import ignored_names, parse
from mcp_enrichment.mcp.call_context import CallContext, Progress
from mcp_enrichment.mcp.sdk import wants_progress
from mcp_enrichment.mcp.tools import TOOLS, Tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.context import ServerRequestContext
    from mcp.types import CallToolRequestParams
    from pydantic import BaseModel

    from mcp_enrichment.client.scoped import GetClient
    from mcp_enrichment.mcp.arguments import Arguments

logger = logging.getLogger(__name__)

Result = CallToolResult | InputRequiredResult | dict[str, Any]
"""A task is a dictionary: the SDK has no type for it."""

_TOOLS = {tool.name: tool for tool in TOOLS}

GRACE = 0.5
"""Seconds after its cap at which a call is cancelled."""
LATE = 0.05
"""Seconds of delay of a timer from which on the process counts as busy."""
SPARE_ITERATIONS = 50
"""A result that is ready needs a few iterations to be returned. Without them, 8 of 1,000 waits that
ended at the same time on a busy machine were cancelled (bench/README.md, `held`)."""

FIRST_PROGRESS = 3.0
"""Seconds until the first notification."""
PROGRESS_EVERY = 4.0
"""Seconds between two notifications: less than the promised 5, as a busy process is late."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    tool: Tool
    arguments: Arguments
    params: CallToolRequestParams
    context: ServerRequestContext[Any]
    started_at: float
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class ToolRunner:
    """Runs the tool calls of one server."""

    get_client: GetClient
    """Called by the first call that needs the client."""
    confirm: bool
    """Whether the user must consent before a credit is spent."""

    async def call(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> Result:
        """Handle `tools/call`: run the call before its deadline, and report progress."""
        tool, given = _TOOLS.get(params.name), params.arguments or {}
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no tool of this name.")
        try:
            call = _Call(
                tool=tool,
                arguments=parse(tool.arguments, given),
                params=params,
                context=context,
                started_at=anyio.current_time(),
            )
        except InvalidArguments as error:
            result: Result = results.from_error(error)
        else:
            async with _progress(call) if wants_progress(context) else nullcontext():
                result = await self._result_before_deadline(call)
        if (names := ignored_names(tool.arguments, given)) and isinstance(result, CallToolResult):
            return results.with_ignored_names(result, names)
        return result

    async def _result_before_deadline(self, call: _Call) -> Result:
        with _Deadline(call.started_at + call.arguments.cap):
            try:
                return await self._result_or_task(call)
            except elicitation.ConsentRequired as required:
                return required.question
            except EnrichmentError as error:
                return results.from_error(error)
            except Exception as defect:  # noqa: BLE001 (the SDK would send or log its text)
                logger.error("%s raised %s", call.tool.name, safe_traceback(defect))  # noqa: TRY400 (without its text)
                return results.from_error(UnexpectedError())
        return results.from_error(DeadlineExceeded() if call.tool.spends else ServiceUnavailable())

    async def _result_or_task(self, call: _Call) -> Result:
        if short := tasks.with_short_wait(call.context, call.arguments):
            try:
                output = await self._output(call, short)
            except TransientError:
                if call.tool.spends:
                    raise
            else:
                if tasks.is_final(output):
                    return results.from_output(output)
                sign = (await self.get_client()).signature
                if task := tasks.to_task(output, call.arguments, sign):
                    return task
        return results.from_output(await self._output(call, call.arguments))

    async def _output(self, call: _Call, arguments: Arguments) -> BaseModel:
        client = await self.get_client()
        may_spend = not self.confirm or elicitation.has_agreed(call.params)
        context = CallContext(call.started_at, may_spend, call.progress)
        try:
            return await call.tool.run(client, arguments, context)
        except NotConfirmed:
            if may_spend:
                raise
        deadline = call.started_at + arguments.cap
        question = await call.tool.question(client, arguments)
        await elicitation.request_consent(call.context, question, deadline)
        return await call.tool.run(client, arguments, replace(context, may_spend=True))


class _Deadline:
    """Cancels the block `GRACE` seconds after `cap`.

    In a busy process the block may be about to return: if the timer is late, the block gets `GRACE`
    again, and before it is cancelled it gets `SPARE_ITERATIONS` of the event loop.
    """

    # No generator or closures: their cycles would be left to the garbage collector by each call.
    __slots__ = ("_loop", "_scope", "_timer")

    def __init__(self, cap: float) -> None:
        self._loop, self._scope = asyncio.get_running_loop(), anyio.CancelScope()
        due = cap + GRACE
        self._timer: asyncio.Handle = self._loop.call_at(due, self._check, due, SPARE_ITERATIONS)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, *exc_info: Any) -> bool:
        self._timer.cancel()
        return self._scope.__exit__(*exc_info)

    def _check(self, due: float, left: int) -> None:
        now = self._loop.time()
        if now - due > LATE:
            due = now + GRACE
            self._timer = self._loop.call_at(due, self._check, due, SPARE_ITERATIONS)
        elif left:
            self._timer = self._loop.call_soon(self._check, now, left - 1)
        else:
            self._scope.cancel()


@asynccontextmanager
async def _progress(call: _Call) -> AsyncIterator[None]:
    """Notify the client while the block runs."""
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as tasks:
        # A task from the start would cost a third of the short calls a second.
        timer = loop.call_later(FIRST_PROGRESS, tasks.start_soon, _report, call)
        try:
            yield
        finally:
            timer.cancel()
            if loop.time() >= timer.when():
                tasks.cancel_scope.cancel()


async def _report(call: _Call) -> None:
    due = anyio.current_time()
    started_at = due - FIRST_PROGRESS
    while True:
        await anyio.sleep_until(due)
        elapsed = anyio.current_time() - started_at
        report = _progress_of(call.progress, elapsed, call.arguments.cap)
        await call.context.session.report_progress(*report)
        # Not `due +`: after a delay two reports would follow at once, with the same number.
        due = anyio.current_time() + PROGRESS_EVERY


def _progress_of(progress: Progress, elapsed: float, cap: float) -> tuple[float, float, str]:
    """The progress, its total and a message. The protocol wants each progress to be higher than
    the last one, so the seconds are added as a part of a row."""
    if not progress.total:
        return round(elapsed, 1), cap, "waiting for the lookup"
    done = round(progress.done + min(elapsed / (cap + PROGRESS_EVERY), 0.99), 4)
    return done, progress.total, f"{progress.done} of {progress.total} profiles answered"
