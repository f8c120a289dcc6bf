"""Runs one tool call: from its arguments to its result, before its deadline."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import CallToolResult, InputRequiredResult

from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    NotConfirmed,
    ServiceUnavailable,
    TransientError,
)
from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.mcp import elicitation, results, tasks
from mcp_enrichment.mcp.arguments import ignored_names, parse
from mcp_enrichment.mcp.call_context import CallContext, Progress
from mcp_enrichment.mcp.progress import report_progress
from mcp_enrichment.mcp.sdk import wants_progress

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.types import CallToolRequestParams
    from pydantic import BaseModel

    from mcp_enrichment.client.protocols import GetClient
    from mcp_enrichment.mcp.models import Arguments
    from mcp_enrichment.mcp.tools import Tool

logger = logging.getLogger(__name__)

Result = CallToolResult | InputRequiredResult | dict[str, Any]
"""A task is a dictionary: the SDK has no type for it."""

GRACE = 0.5
"""Seconds after its cap at which a call is cancelled."""
LATE = 0.05
"""Seconds of delay of a timer from which on the process counts as busy."""
SPARE_ITERATIONS = 50
"""A result that is ready needs a few iterations to be returned. Without them, 8 of 1,000 waits that
ended at the same time on a busy machine were cancelled (bench/README.md, `held`)."""


class DeadlineExceeded(ServiceUnavailable):
    """A call that spends reached its deadline while its POST may be under way."""

    charged = None
    explanation = Explanation(
        happened="The enrichment service did not answer in time, so it is not known whether a "
        "lookup was started.",
        money="One credit may have been charged.",
        for_person="Try again in a minute: a request that is under way is joined, not paid for "
        "twice.",
        for_assistant="Call again in a minute with the same arguments: a request that is under way "
        "is joined, not paid for twice.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    tool: Tool
    params: CallToolRequestParams
    context: ServerRequestContext[Any]
    started_at: float
    progress: Progress = field(default_factory=Progress)

    @property
    def elapsed(self) -> float:
        """Seconds since the call came."""
        return anyio.current_time() - self.started_at

    def for_handler(self, *, may_spend: bool) -> CallContext:
        return CallContext(self.elapsed, may_spend, self.progress)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRunner:
    """Runs the tool calls of one server."""

    get_client: GetClient
    """Called by the first call that needs the client."""
    confirm: bool
    """Whether the user must consent before a credit is spent."""

    async def call(
        self, tool: Tool, params: CallToolRequestParams, context: ServerRequestContext[Any]
    ) -> Result:
        """Run the call before its deadline, and report progress to a client that wants it."""
        given = params.arguments or {}
        try:
            parsed = parse(tool.arguments, given)
        except InvalidArguments as error:
            result: Result = results.from_error(error)
        else:
            call = _Call(tool=tool, params=params, context=context, started_at=anyio.current_time())
            if wants_progress(context):
                async with report_progress(context, parsed.cap, call.progress):
                    result = await self._run_before_deadline(call, parsed)
            else:
                result = await self._run_before_deadline(call, parsed)
        return results.with_ignored_names(result, ignored_names(tool.arguments, given))

    async def _run_before_deadline(self, call: _Call, arguments: Arguments) -> Result:
        with _Deadline(call.started_at + arguments.cap):
            return await self._result_or_error(call, arguments)
        return results.from_error(DeadlineExceeded() if call.tool.spends else ServiceUnavailable())

    async def _result_or_error(self, call: _Call, arguments: Arguments) -> Result:
        try:
            if tasks.may_defer(call.context, arguments) and (
                result := await self._result_or_task(call, arguments)
            ):
                return result
            return _to_result(await self._output(call, arguments))
        except EnrichmentError as error:
            return results.from_error(error)
        except Exception as defect:  # noqa: BLE001 (the SDK would send or log its text)
            logger.error("%s raised %s", call.tool.name, safe_traceback(defect))  # noqa: TRY400 (without its text)
            return results.from_error(UnexpectedError())

    async def _result_or_task(self, call: _Call, arguments: Arguments) -> Result | None:
        """The final result, or a task in its place; None if neither can be had now."""
        try:
            output = await self._output(call, tasks.with_short_wait(arguments))
        except TransientError:
            if call.tool.spends:
                raise
            return None
        if isinstance(output, InputRequiredResult) or tasks.is_final(output):
            return _to_result(output)
        return tasks.to_task(output, arguments, (await self.get_client()).signature)

    async def _output(self, call: _Call, arguments: Arguments) -> BaseModel | InputRequiredResult:
        client = await self.get_client()
        may_spend = not self.confirm or elicitation.has_agreed(call.params)
        try:
            return await call.tool.run(client, arguments, call.for_handler(may_spend=may_spend))
        except NotConfirmed:
            if may_spend:
                raise
        left = arguments.cap - call.elapsed
        question = await call.tool.question(client, arguments)
        if form := await elicitation.request_consent(call.context, question, seconds=left):
            return form
        return await call.tool.run(client, arguments, call.for_handler(may_spend=True))


def _to_result(output: BaseModel | InputRequiredResult) -> Result:
    return output if isinstance(output, InputRequiredResult) else results.from_output(output)


class _Deadline:
    """Cancels the block `GRACE` seconds after `cap`.

    In a busy process the block may be about to return: if the timer is late, the block gets `GRACE`
    again, and before it is cancelled it gets `SPARE_ITERATIONS` of the event loop.
    """

    # No generator or closures: their cycles would be left to the garbage collector by each call.
    __slots__ = ("_handle", "_loop", "_scope")

    def __init__(self, cap: float) -> None:
        self._loop, self._scope = asyncio.get_running_loop(), anyio.CancelScope()
        self._set_timer(cap + GRACE)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, *exc_info: Any) -> bool:
        self._handle.cancel()
        return self._scope.__exit__(*exc_info)

    def _set_timer(self, due: float) -> None:
        self._handle: asyncio.Handle = self._loop.call_at(due, self._check, due, SPARE_ITERATIONS)

    def _check(self, due: float, left: int) -> None:
        if self._loop.time() - due > LATE:
            self._set_timer(self._loop.time() + GRACE)
        elif left:
            self._handle = self._loop.call_soon(self._check, self._loop.time(), left - 1)
        else:
            self._scope.cancel()
