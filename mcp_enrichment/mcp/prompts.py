"""The prompt `find_emails`: from a list of profiles to a table of emails, within the budget."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    ListPromptsResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.mcp.arguments import MAX_IDS, email_type
from mcp_enrichment.mcp.next_steps import NO_GUESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp.server.context import ServerRequestContext
    from mcp.types import GetPromptRequestParams

NAME = "find_emails"
PROMPTS = ListPromptsResult(
    prompts=[
        Prompt(
            name=NAME,
            title="Find the emails of these people",
            description="From a list of LinkedIn profiles to a table of addresses.",
            arguments=[
                PromptArgument(
                    name="profiles",
                    description=f"URLs of LinkedIn profiles, at most {MAX_IDS}, in any layout.",
                    required=True,
                ),
                PromptArgument(
                    name="type",
                    description="Which address is wanted: work (the default) or personal.",
                    required=False,
                ),
            ],
        )
    ]
)
_BETWEEN = re.compile(r"[\s,;]+")


class _Profiles(NamedTuple):
    urls: Sequence[str]
    refused: Sequence[int]
    """The positions of the entries that are no profiles, from 1."""


async def get_prompt(
    _context: ServerRequestContext[Any], params: GetPromptRequestParams
) -> GetPromptResult:
    """Render the prompt. Raises `MCPError`, whose text repeats no argument."""
    if params.name != NAME:
        raise MCPError(INVALID_PARAMS, f"There is no prompt of this name: there is {NAME}.")
    text = TextContent(type="text", text=_text(params.arguments or {}))
    return GetPromptResult(messages=[PromptMessage(role="user", content=text)])


def _text(arguments: Mapping[str, str]) -> str:
    kind = email_type(arguments.get("type", "")) or EmailType.WORK
    if kind not in set(EmailType):
        raise MCPError(INVALID_PARAMS, "type: work or personal.")
    profiles = _profiles_in(arguments.get("profiles", ""))
    if not 1 <= len(profiles.urls) <= MAX_IDS:
        raise MCPError(
            INVALID_PARAMS,
            f"profiles: from 1 to {MAX_IDS} URLs like https://www.linkedin.com/in/<username>.",
        )
    return _instructions(profiles, kind)


def _profiles_in(text: str) -> _Profiles:
    urls: dict[str, None] = {}
    refused = []
    entries = [entry for entry in _BETWEEN.split(text) if entry]
    for number, entry in enumerate(entries, start=1):
        try:
            urls[canonical_profile_url(entry)] = None
        except ProfileURLError:
            refused.append(number)
    return _Profiles(list(urls), refused)


def _instructions(profiles: _Profiles, kind: str) -> str:
    many = len(profiles.urls)
    steps = [
        f"Call request_email_enrichments with all of them, type={kind} and preview=true: it is "
        "free and says how many credits the list can cost. Call get_credits. If fewer are left, "
        "ask me which people matter most.",
        "Call request_email_enrichments again with preview=false and max_credits set to that "
        "number.",
        "If all_final is false, call wait_for_enrichment with ids=[list_id], until all_final is "
        "true.",
        "Show a table with one row for each profile: profile, email, status, credits charged. "
        f"Where email is null leave its cell empty and say why below the table. {NO_GUESS}",
    ]
    numbered = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    parts = [
        f"Find the {kind} email behind each of these profiles ({many} in all).",
        "\n".join(profiles.urls),
    ]
    if profiles.refused:
        which = ", ".join(map(str, profiles.refused))
        parts.append(f"These entries of my list are not profiles, so tell me so: number {which}.")
    return "\n\n".join([*parts, "\n".join(numbered)])
