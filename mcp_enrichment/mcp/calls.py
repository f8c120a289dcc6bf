"""One tool call: from its arguments to a result, within its cap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from mcp_enrichment.contract.defects import told
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    NotConfirmed,
    Passing,
    ServiceUnavailable,
)
from mcp_enrichment.mcp import confirming, deferring, results
from mcp_enrichment.mcp.refusals import Defect
from mcp_enrichment.mcp.tools import Call, Tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.types import CallToolRequestParams
    from pydantic import BaseModel

    from mcp_enrichment.client.port import Enrichments
    from mcp_enrichment.mcp.models import Arguments

logger = logging.getLogger(__name__)

GetClient = Callable[[], Awaitable["Enrichments"]]
Result = CallToolResult | InputRequiredResult | dict[str, Any]
"""A task, which the SDK has no type for, is a dictionary as it goes on the wire."""

FIRST_PROGRESS = 3.0
"""Seconds after which a call that has not ended tells its progress."""
PROGRESS_EVERY = 4.5
"""Seconds between two such notifications: of five, which are the promise, with some to spare."""

GRACE = 0.5
"""Seconds after its cap at which a call that has not come back is cut off."""

BEHIND = 0.05
"""Seconds of delay of a timer from which on the process is late, and the call has `GRACE` again."""
TURNS = 50
"""Turns of the event loop that it has at last: what hangs does not use them, and what is only late,
in a process that is busy, needs a few."""


class CutOff(ServiceUnavailable):
    """A call that spends has reached its cap while its POST may be under way."""

    charged = None
    sentence = (
        "The enrichment service did not answer in time, so it is not known whether a lookup was "
        "started; one credit may have been charged. Call again in a minute with the same "
        "arguments: a request that is under way is joined, not paid for twice."
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
class Caller:
    """Carries out the calls of one server."""

    get_client: GetClient
    """Called by the first call that needs the client, and not before."""
    confirm: bool
    """Whether the person is asked before a credit is spent."""

    async def call(
        self, tool: Tool, params: CallToolRequestParams, context: ServerRequestContext[Any]
    ) -> Result:
        """Carry it out within its cap, reporting progress meanwhile."""
        try:
            arguments = _validated(tool, params.arguments or {})
        except InvalidArguments as error:
            return results.of_error(error)
        called = _Called(tool=tool, params=params, context=context, began=anyio.current_time())
        async with _progress_reported(context, arguments.cap):
            with _cut_off(called.began + arguments.cap):
                return await self._told(called, arguments)
        return results.of_error(CutOff() if tool.spends else ServiceUnavailable())

    async def _told(self, called: _Called, arguments: Arguments) -> Result:
        try:
            if deferring.are_welcome(called.context, arguments) and (
                result := await self._first_look(called, arguments)
            ):
                return result
            return _shown(await self._answer(called, arguments))
        except EnrichmentError as error:
            return results.of_error(error)
        except Exception as defect:  # noqa: BLE001 (the SDK would tell the client or the log its text)
            logger.error("%s raised %s", called.tool.name, told(defect))  # noqa: TRY400 (without its text)
            return results.of_error(Defect())

    async def _first_look(self, called: _Called, arguments: Arguments) -> Result | None:
        """The final answer, or the task that stands for it; None where it is to be waited for."""
        try:
            answer = await self._answer(called, deferring.first_look(arguments))
        except Passing:
            if called.tool.spends:
                raise
            return None
        if isinstance(answer, InputRequiredResult) or deferring.is_final(answer):
            return _shown(answer)
        return deferring.begun(answer, arguments, (await self.get_client()).signature)

    async def _answer(
        self, called: _Called, arguments: Arguments
    ) -> BaseModel | InputRequiredResult:
        client = await self.get_client()
        may_spend = not self.confirm or confirming.has_agreed(called.params)
        try:
            return await called.tool.run(client, arguments, Call(called.taken, may_spend))
        except NotConfirmed:
            if may_spend:
                raise
        left = arguments.cap - called.taken
        if question := await confirming.ask(called.context, arguments, seconds=left):
            return question
        return await called.tool.run(client, arguments, Call(called.taken))


def _shown(answer: BaseModel | InputRequiredResult) -> Result:
    return answer if isinstance(answer, InputRequiredResult) else results.of_answer(answer)


def _validated(tool: Tool, arguments: dict[str, Any]) -> Arguments:
    try:
        return tool.arguments.model_validate(arguments)
    except ValidationError as error:
        known = list(tool.arguments.model_fields)
        raise InvalidArguments(results.what_is_wrong(error, known)) from None


@contextmanager
def _cut_off(cap: float) -> Iterator[None]:
    """Ends what hangs after that time, not what is late with all the others of a busy moment."""
    loop, handles = asyncio.get_running_loop(), list[asyncio.Handle]()

    def look_at(due: float) -> None:
        handles[:] = [loop.call_at(due, look, due)]

    def look(due: float) -> None:
        if loop.time() - due > BEHIND:
            look_at(loop.time() + GRACE)
        else:
            turn(TURNS)

    def turn(left: int) -> None:
        if left:
            handles[:] = [loop.call_soon(turn, left - 1)]
        else:
            scope.cancel()

    look_at(cap + GRACE)
    try:
        with anyio.CancelScope() as scope:
            yield
    finally:
        handles[0].cancel()


@asynccontextmanager
async def _progress_reported(context: ServerRequestContext[Any], cap: float) -> AsyncIterator[None]:
    """Tells a client that asks for it of what runs in it, from `FIRST_PROGRESS` seconds on.

    Most calls have ended by then, and do without the task, which would be half of their cost.
    """
    if context.request and "progress_token" not in (context.meta or {}):
        yield  # within one process the SDK needs no token to hand progress on
        return
    began = anyio.current_time()
    reporting: list[anyio.CancelScope] = []

    async def report() -> None:
        while True:
            await context.session.report_progress(
                round(anyio.current_time() - began, 1), cap, "waiting for the lookup"
            )
            await anyio.sleep(PROGRESS_EVERY)

    def start() -> None:
        reporting.append(tasks.cancel_scope)
        tasks.start_soon(report)

    async with anyio.create_task_group() as tasks:
        first = asyncio.get_running_loop().call_later(FIRST_PROGRESS, start)
        try:
            yield
        finally:
            first.cancel()
            for scope in reporting:
                scope.cancel()
