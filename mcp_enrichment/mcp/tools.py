"""The four tools: each one value, with its schemas, its hints and its handler."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import anyio
from mcp.types import Tool as WireTool
from mcp.types import ToolAnnotations

from mcp_enrichment.mcp import sentences
from mcp_enrichment.mcp.models import (
    Arguments,
    Balance,
    CreditsArguments,
    Enrichment,
    GetArguments,
    RequestArguments,
    WaitArguments,
    Waited,
)
from mcp_enrichment.mcp.schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from mcp_enrichment.client.answer import Answer
    from mcp_enrichment.client.port import Enrichments


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler knows of the call beside its arguments."""

    taken: float = 0.0
    """Seconds that it has already taken."""
    may_spend: bool = True
    """Whether a credit may be spent: not before the person has agreed, where that is wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool as data, and the function that carries it out."""

    name: str
    description: str
    arguments: type[Arguments]
    answer: type[BaseModel]
    annotations: ToolAnnotations
    run: Callable[[Enrichments, Any, Call], Awaitable[BaseModel]]

    @property
    def spends(self) -> bool:
        """Whether a call may cost a credit."""
        return not self.annotations.read_only_hint

    def on_the_wire(self) -> WireTool:
        """The tool as `tools/list` shows it."""
        return WireTool(
            name=self.name,
            description=self.description,
            input_schema=schema_of(self.arguments, "validation"),
            output_schema=schema_of(self.answer, "serialization"),
            annotations=self.annotations,
        )


async def _request(client: Enrichments, asked: RequestArguments, call: Call) -> Enrichment:
    answer = await client.request(
        asked.linkedin_url,
        asked.type,
        callback_url=asked.callback_url,
        external_id=asked.external_id,
        force_refresh=asked.force_refresh,
        may_spend=call.may_spend,
        wait=max(asked.wait_seconds - call.taken, 0.0),
    )
    return _enrichment(answer)


async def _get(client: Enrichments, asked: GetArguments, _call: Call) -> Enrichment:
    return _enrichment(await client.get(asked.id))


async def _wait(client: Enrichments, asked: WaitArguments, call: Call) -> Waited:
    began = anyio.current_time() - call.taken
    answers = await client.wait(asked.ids, asked.timeout_seconds - call.taken)
    enrichments = [_enrichment(answer) for answer in answers]
    left = [one.next_step for one in enrichments if not one.is_final]
    all_final = not left
    return Waited(
        # What to do about those that are not final is said once, for all of them.
        enrichments=[
            one if one.is_final else one.model_copy(update={"next_step": None})
            for one in enrichments
        ],
        all_final=all_final,
        waited_seconds=round(anyio.current_time() - began, 1),
        timeout_applied=not all_final,
        next_step=sentences.after_all(left),
    )


async def _credits(client: Enrichments, _asked: CreditsArguments, _call: Call) -> Balance:
    purse = await client.credits()
    return Balance(
        balance=purse.balance,
        spent_today=purse.spent_today,
        budget_left=purse.left,
        next_step=sentences.after_credits(purse.balance, purse.left),
    )


def _enrichment(answer: Answer) -> Enrichment:
    return Enrichment(
        id=answer.id,
        status=answer.status,
        is_final=answer.is_final,
        email=answer.email,
        type=answer.type,
        linkedin_url=answer.linkedin_url,
        external_id=answer.external_id,
        reused=answer.reused,
        asked_at=_moment(answer.asked_at),
        credits_charged=_KNOWN_CHARGES.get(answer.credits_charged),
        next_step=sentences.after(answer.status, answer.reason, _age(answer)),
    )


def _age(answer: Answer) -> float:
    return 0.0 if answer.asked_at is None else time.time() - answer.asked_at


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number


_KNOWN_CHARGES: dict[int | None, Literal[0, 1]] = {0: 0, 1: 1}

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
        answer=Enrichment,
        annotations=_SPENDS,
        run=_request,
    ),
    Tool(
        name="get_enrichment",
        description=(
            "The current state of one enrichment, at once. Free. To wait for the final answer use "
            "wait_for_enrichment instead of calling this repeatedly."
        ),
        arguments=GetArguments,
        answer=Enrichment,
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
        answer=Waited,
        annotations=_READS,
        run=_wait,
    ),
    Tool(
        name="get_credits",
        description="The credits left on the account, and in the user's budget. Free.",
        arguments=CreditsArguments,
        answer=Balance,
        annotations=_READS,
        run=_credits,
    ),
)
