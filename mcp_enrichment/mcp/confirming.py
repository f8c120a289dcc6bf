"""Asking the person before a credit is spent, through the client, in both eras of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from mcp_enrichment.contract.errors import NotConfirmed
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.profile_url import canonical
from mcp_enrichment.mcp.eras import is_stateless
from mcp_enrichment.mcp.models import RequestArguments

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from mcp_enrichment.mcp.models import Arguments

QUESTION = "spend"
_YES_OR_NO: dict[str, Any] = {"type": "object", "properties": {}}
_CANNOT_ASK = Explanation(
    happened="A credit is spent only with consent (ENRICHMENT_CONFIRM=always), and this client "
    "cannot ask for it.",
    money=NOTHING_SENT,
    for_person="Use a client that can show a form (elicitation), or set ENRICHMENT_CONFIRM to "
    "`never`.",
    for_assistant="Tell the user; do not retry before that setting is `never`.",
)


def has_agreed(params: CallToolRequestParams) -> bool:
    """Whether this call bears the person's yes. Raises `NotConfirmed` where it bears a no."""
    answer = (params.input_responses or {}).get(QUESTION)
    if answer is None:
        return False
    if not (isinstance(answer, ElicitResult) and answer.action == "accept"):
        raise NotConfirmed
    return True


async def ask(
    context: ServerRequestContext[Any], asked: Arguments, *, seconds: float
) -> InputRequiredResult | None:
    """None once the person has agreed; otherwise the result that has the client ask.

    Raises `NotConfirmed` where the person does not agree within so many seconds, or cannot be
    asked.
    """
    assert isinstance(asked, RequestArguments)  # noqa: S101 (no other tool spends)
    if not _can_ask(context):
        raise NotConfirmed(_CANNOT_ASK)
    message = (
        f"Look up the {asked.type} email of {canonical(asked.linkedin_url)}? "
        "It costs one credit when an address is found."
    )
    if is_stateless(context):  # a question is a result there, and its answer a repeated call
        form = ElicitRequestFormParams(message=message, requested_schema=_YES_OR_NO)
        return InputRequiredResult(input_requests={QUESTION: ElicitRequest(params=form)})
    with anyio.move_on_after(seconds):
        answer = await context.session.elicit_form(message, _YES_OR_NO, context.request_id)
        if answer.action == "accept":
            return None
    raise NotConfirmed


def _can_ask(context: ServerRequestContext[Any]) -> bool:
    declared = context.session.client_capabilities
    modes = declared.elicitation if declared else None
    # The capability without modes is from before there were any, and means a form.
    return modes is not None and (modes.form is not None or modes.url is None)
