"""The four tools: each is one value with its schemas, annotations and handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import Tool as WireTool
from mcp.types import ToolAnnotations

from mcp_enrichment.mcp.arguments import (
    Arguments,
    CreditsArguments,
    GetArguments,
    RequestArguments,
    WaitArguments,
)
from mcp_enrichment.mcp.outputs import (
    CreditsOutput,
    EnrichmentOutput,
    WaitOutput,
    to_credits,
    to_enrichment,
    to_wait_output,
)
from mcp_enrichment.mcp.schema import input_schema, output_schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from mcp_enrichment.client.protocols import EnrichmentBackend


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a handler gets besides the arguments."""

    started_at: float
    """When the call came, by the clock of the event loop: its waits count from then."""
    may_spend: bool = True
    """Whether a credit may be spent: not before the user has consented, if consent is required."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool as data, and its handler."""

    name: str
    description: str
    arguments: type[Arguments]
    answer: type[BaseModel]
    annotations: ToolAnnotations
    run: Callable[[EnrichmentBackend, Any, CallContext], Awaitable[BaseModel]]
    waits: bool = False
    """Whether a call may wait until its cap."""

    @property
    def spends(self) -> bool:
        """Whether a call may cost a credit."""
        return not self.annotations.read_only_hint

    def to_mcp(self) -> WireTool:
        """The tool as `tools/list` shows it."""
        return WireTool(
            name=self.name,
            description=self.description,
            input_schema=input_schema(self.arguments),
            output_schema=output_schema(self.answer),
            annotations=self.annotations,
        )


async def _request(
    client: EnrichmentBackend, arguments: RequestArguments, call: CallContext
) -> EnrichmentOutput:
    result = await client.request(
        arguments.linkedin_url,
        arguments.type,
        callback_url=arguments.callback_url,
        external_id=arguments.external_id,
        force_refresh=arguments.force_refresh,
        may_spend=call.may_spend,
        wait=max(call.started_at + arguments.wait_seconds - anyio.current_time(), 0.0),
    )
    return to_enrichment(result)


async def _get(
    client: EnrichmentBackend, arguments: GetArguments, _call: CallContext
) -> EnrichmentOutput:
    return to_enrichment(await client.get(arguments.id))


async def _wait(
    client: EnrichmentBackend, arguments: WaitArguments, call: CallContext
) -> WaitOutput:
    deadline = call.started_at + arguments.timeout_seconds
    results = await client.wait(arguments.ids, deadline - anyio.current_time())
    return to_wait_output(results, seconds=anyio.current_time() - call.started_at)


async def _credits(
    client: EnrichmentBackend, _arguments: CreditsArguments, _call: CallContext
) -> CreditsOutput:
    return to_credits(await client.credits())


_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_SPENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)

TOOLS = (
    Tool(
        name="request_email_enrichment",
        description=(
            "Find the work or personal email of a LinkedIn profile, and wait for the final answer. "
            "Costs one credit when an address is found. The same question is never paid for twice: "
            "an earlier answer comes back with reused=true. If is_final is false, call "
            "wait_for_enrichment with the id; never request again. For many people, request all "
            "with wait_seconds=0, then wait for all ids in one call. Only an email given in an "
            "answer is real: never construct one."
        ),
        arguments=RequestArguments,
        answer=EnrichmentOutput,
        annotations=_SPENDS,
        run=_request,
        waits=True,
    ),
    Tool(
        name="get_enrichment",
        description=(
            "The current state of one enrichment, at once. Free. To wait for the final answer use "
            "wait_for_enrichment instead of calling this repeatedly."
        ),
        arguments=GetArguments,
        answer=EnrichmentOutput,
        annotations=_READS,
        run=_get,
    ),
    Tool(
        name="wait_for_enrichment",
        description=(
            "Wait until all of these enrichments are final, or until the time runs out. Free. If "
            "all_final is false, call it again with the ids that are not final: the lookups go on."
        ),
        arguments=WaitArguments,
        answer=WaitOutput,
        annotations=_READS,
        run=_wait,
        waits=True,
    ),
    Tool(
        name="get_credits",
        description="The credits left on the account, and in the user's budget. Free.",
        arguments=CreditsArguments,
        answer=CreditsOutput,
        annotations=_READS,
        run=_credits,
    ),
)
