"""One tool call: from its arguments to a result, within its cap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
from mcp_enrichment.mcp import arguments, elicitation, results, task_deferral
from mcp_enrichment.mcp.progress import report_progress
from mcp_enrichment.mcp.tools import CallContext, Tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.types import CallToolRequestParams
    from pydantic import BaseModel

    from mcp_enrichment.client.protocols import EnrichmentBackend
    from mcp_enrichment.mcp.models import Arguments

logger = logging.getLogger(__name__)

GetClient = Callable[[], Awaitable["EnrichmentBackend"]]
Result = CallToolResult | InputRequiredResult | dict[str, Any]
"""A task, which the SDK has no type for, is a dictionary as it goes on the wire."""

GRACE = 0.5
"""Seconds after its cap at which a call that has not come back is cut off."""

BEHIND = 0.05
"""Seconds of delay of a timer from which on the process is late, and the call has `GRACE` again."""
TURNS = 50
"""Turns of the event loop that it has at last: what hangs does not use them, and what is only late,
in a process that is busy, needs a few."""


class DeadlineExceeded(ServiceUnavailable):
    """A call that spends has reached its cap while its POST may be under way."""

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
class _Called:
    tool: Tool
    params: CallToolRequestParams
    context: ServerRequestContext[Any]
    began: float

    @property
    def taken(self) -> float:
        """Seconds since the call came."""
        return anyio.current_time() - self.began


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRunner:
    """Carries out the calls of one server."""

    get_client: GetClient
    """Called by the first call that needs the client, and not before."""
    confirm: bool
    """Whether the person is asked before a credit is spent."""

    async def call(
        self, tool: Tool, params: CallToolRequestParams, context: ServerRequestContext[Any]
    ) -> Result:
        """Carry it out within its cap, reporting progress meanwhile."""
        given = params.arguments or {}
        try:
            read = arguments.parse(tool.arguments, given)
        except InvalidArguments as error:
            result: Result = results.from_error(error)
        else:
            result = await self._within_its_cap(tool, params, context, read)
        return results.with_ignored_names(result, arguments.ignored_names(tool.arguments, given))

    async def _within_its_cap(
        self,
        tool: Tool,
        params: CallToolRequestParams,
        context: ServerRequestContext[Any],
        arguments: Arguments,
    ) -> Result:
        called = _Called(tool=tool, params=params, context=context, began=anyio.current_time())
        async with report_progress(context, arguments.cap):
            with _CutOffAt(called.began + arguments.cap):
                return await self._result_or_error(called, arguments)
        return results.from_error(DeadlineExceeded() if tool.spends else ServiceUnavailable())

    async def _result_or_error(self, called: _Called, arguments: Arguments) -> Result:
        try:
            if task_deferral.may_defer(called.context, arguments) and (
                result := await self._first_look(called, arguments)
            ):
                return result
            return _shown(await self._answer(called, arguments))
        except EnrichmentError as error:
            return results.from_error(error)
        except Exception as defect:  # noqa: BLE001 (the SDK would tell the client or the log its text)
            logger.error("%s raised %s", called.tool.name, safe_traceback(defect))  # noqa: TRY400 (without its text)
            return results.from_error(UnexpectedError())

    async def _first_look(self, called: _Called, arguments: Arguments) -> Result | None:
        """The final answer, or the task that stands for it; None where it is to be waited for."""
        try:
            answer = await self._answer(called, task_deferral.first_look(arguments))
        except TransientError:
            if called.tool.spends:
                raise
            return None
        if isinstance(answer, InputRequiredResult) or task_deferral.is_final(answer):
            return _shown(answer)
        return task_deferral.to_task(answer, arguments, (await self.get_client()).signature)

    async def _answer(
        self, called: _Called, arguments: Arguments
    ) -> BaseModel | InputRequiredResult:
        client = await self.get_client()
        may_spend = not self.confirm or elicitation.has_agreed(called.params)
        try:
            return await called.tool.run(client, arguments, CallContext(called.taken, may_spend))
        except NotConfirmed:
            if may_spend:
                raise
        left = arguments.cap - called.taken
        if question := await elicitation.request_consent(called.context, arguments, seconds=left):
            return question
        return await called.tool.run(client, arguments, CallContext(called.taken))


def _shown(answer: BaseModel | InputRequiredResult) -> Result:
    return answer if isinstance(answer, InputRequiredResult) else results.from_output(answer)


class _CutOffAt:
    """Ends what hangs after that time, not what is late with all the others of a busy moment."""

    __slots__ = ("_cap", "_handle", "_loop", "_scope")

    def __init__(self, cap: float) -> None:
        self._cap, self._loop, self._scope = cap, asyncio.get_running_loop(), anyio.CancelScope()

    def __enter__(self) -> None:
        self._look_at(self._cap + GRACE)
        self._scope.__enter__()

    def __exit__(self, *exc_info: Any) -> bool:
        self._handle.cancel()
        return self._scope.__exit__(*exc_info)

    def _look_at(self, due: float) -> None:
        self._handle: asyncio.Handle = self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        if self._loop.time() - due > BEHIND:
            self._look_at(self._loop.time() + GRACE)
        else:
            self._turn(TURNS)

    def _turn(self, left: int) -> None:
        if left:
            self._handle = self._loop.call_soon(self._turn, left - 1)
        else:
            self._scope.cancel()
