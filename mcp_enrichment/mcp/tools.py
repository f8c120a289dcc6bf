"""The tools: each is one value with its schemas, annotations and handler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import Tool as WireTool
from mcp.types import ToolAnnotations

from mcp_enrichment.contract.linkedin_url import canonical_profile_url
from mcp_enrichment.mcp.arguments import (
    Arguments,
    CreditsArguments,
    GetArguments,
    ListArguments,
    RequestArguments,
    WaitArguments,
)
from mcp_enrichment.mcp.lists import (
    TableOutput,
    question,
    read_lists,
    request_list,
    split_ids,
    to_table,
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

    from mcp_enrichment.client.scoped import ToolClient
    from mcp_enrichment.mcp.call_context import CallContext


_HTTP_URL = re.compile(
    r"https?://([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])(?::\d+)?(?:[/?#].*)?", re.ASCII | re.IGNORECASE
)


async def _no_question(_client: ToolClient, _arguments: Any) -> str:
    raise AssertionError("a tool that spends nothing asks nothing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool as data, and its handler."""

    name: str
    description: str
    arguments: type[Arguments]
    answer: type[BaseModel]
    annotations: ToolAnnotations
    run: Callable[[ToolClient, Any, CallContext], Awaitable[BaseModel]]
    waits: bool = False
    """Whether a call may wait until its cap."""
    question: Callable[[ToolClient, Any], Awaitable[str]] = _no_question
    """Returns the question for the user before a credit is spent, if consent is required."""
    meta: dict[str, Any] | None = None

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
            meta=self.meta,
        )


async def _request(
    client: ToolClient, arguments: RequestArguments, call: CallContext
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


async def _question(_client: ToolClient, arguments: RequestArguments) -> str:
    asked = f"Look up the {arguments.type} email of {canonical_profile_url(arguments.linkedin_url)}"
    costs = "It costs one credit when an address is found."
    if arguments.callback_url is None:
        return f"{asked}? {costs}"
    # A model may have been told to pass this URL by a text that it has read.
    return f"{asked}, and send the answer to {_receiver(arguments.callback_url)}, too? {costs}"


def _receiver(url: str) -> str:
    """The host of the URL. Other than ASCII is not shown: it may look like another host."""
    found = _HTTP_URL.fullmatch(url)
    return found[1].lower() if found else "an address that cannot be shown"


async def _get(client: ToolClient, arguments: GetArguments, _call: CallContext) -> EnrichmentOutput:
    return to_enrichment(await client.get(arguments.id))


async def _wait(client: ToolClient, arguments: WaitArguments, call: CallContext) -> WaitOutput:
    lists, ids = split_ids(arguments.ids)
    saved = await read_lists(client, lists, only_open=True)
    deadline = call.started_at + arguments.timeout_seconds
    results = await client.wait([*ids, *saved.ids], deadline - anyio.current_time())
    table = await to_table(client, saved.entries(results[len(ids) :])) if lists else None
    seconds = anyio.current_time() - call.started_at
    return to_wait_output(results[: len(ids)], seconds=seconds, table=table)


async def _credits(
    client: ToolClient, _arguments: CreditsArguments, _call: CallContext
) -> CreditsOutput:
    return to_credits(await client.credits())


_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_SPENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)

ALWAYS_LOADED = {"anthropic/alwaysLoad": True}
"""Claude Code loads such a tool at once, and searches for the others when they are needed."""

TOOLS = (
    Tool(
        name="request_email_enrichment",
        description=(
            "Get a person's email address from their LinkedIn profile: finds the work (business) "
            "email or personal email to contact the lead or candidate of a LinkedIn profile URL. "
            "Costs one credit when an address is found; the same question is never paid for twice "
            "(reused=true). If is_final is false, call wait_for_enrichment with the id; never "
            "request again. For many people use request_email_enrichments. Only an email given in "
            "an answer is real: never construct one."
        ),
        arguments=RequestArguments,
        answer=EnrichmentOutput,
        annotations=_SPENDS,
        run=_request,
        waits=True,
        question=_question,
        meta=ALWAYS_LOADED,
    ),
    Tool(
        name="request_email_enrichments",
        description=(
            "Find the emails of many LinkedIn profiles in bulk: get the work or personal email "
            "addresses of a list of people, such as the leads or contacts of a spreadsheet or CRM, "
            "from their LinkedIn profile URLs. Returns a table with one row for each profile, in "
            "the order given. Costs one credit for each address found, nothing for what is known "
            "already, and never more than max_credits. preview=true counts first, free. If "
            "all_final is false, call wait_for_enrichment with the list_id."
        ),
        arguments=ListArguments,
        answer=TableOutput,
        annotations=_SPENDS,
        run=request_list,
        waits=True,
        question=question,
    ),
    Tool(
        name="get_enrichment",
        description=(
            "Check the status of one email lookup by its id, at once: still pending, completed "
            "with the email, not found or failed. Free. To wait for the result use "
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
            "Wait for the results of earlier email lookups that are still running or pending, by "
            "the ids of their enrichments or by list_id, until all are finished or the time runs "
            "out. Free. If all_final is false, call it again with the ids that are not final: the "
            "lookups go on."
        ),
        arguments=WaitArguments,
        answer=WaitOutput,
        annotations=_READS,
        run=_wait,
        waits=True,
    ),
    Tool(
        name="get_credits",
        description=(
            "Check the credits left for finding emails: the balance remaining on the account, the "
            "credits spent on lookups today, and the rest of the user's budget. Free."
        ),
        arguments=CreditsArguments,
        answer=CreditsOutput,
        annotations=_READS,
        run=_credits,
    ),
)
