"""Asks the user for consent before a credit is spent, through the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import (
    METHOD_NOT_FOUND,
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from mcp_enrichment.contract.errors import NotConfirmed
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.mcp.sdk import is_modern

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext


QUESTION = "spend"
AGREED = "agreed"
"""The form's only field. It is optional: accepting the form means consent, unless it is false."""
_FORM: dict[str, Any] = {
    "type": "object",
    # VS Code cannot submit a form without fields.
    "properties": {
        AGREED: {
            "type": "boolean",
            "title": "Spend credits",
            "description": "One credit is spent for each address that is found.",
            "default": True,
        }
    },
}
_CANNOT_ASK = Explanation(
    happened="A credit is spent only with consent (ENRICHMENT_CONFIRM=always), and this client "
    "cannot ask for it.",
    money=NOTHING_SENT,
    for_person="Use a client that can show a form (elicitation), or set ENRICHMENT_CONFIRM to "
    "`never`.",
    for_assistant="Tell the user; do not retry before that setting is `never`.",
)
_NO_WAY_BACK = Explanation(
    happened="A credit is spent only with consent (ENRICHMENT_CONFIRM=always), and this server "
    "cannot ask for it over HTTP with a client that begins with a handshake (a protocol before "
    "2026-07-28).",
    money=NOTHING_SENT,
    for_person="Use a client of protocol 2026-07-28, start the server over stdio, or set "
    "ENRICHMENT_CONFIRM to `never`.",
    for_assistant="Tell the user to use a client of protocol 2026-07-28, to start the server over "
    "stdio, or to set ENRICHMENT_CONFIRM to `never`; do not retry before that.",
)


class ConsentRequired(Exception):
    """The client must ask the user, and repeat the call with the reply."""

    def __init__(self, form: ElicitRequestFormParams) -> None:
        super().__init__()
        self.question = InputRequiredResult(input_requests={QUESTION: ElicitRequest(params=form)})


def has_agreed(params: CallToolRequestParams) -> bool:
    """Whether this call carries the user's consent. Raises `NotConfirmed` if it was denied."""
    responses = params.input_responses or {}
    if QUESTION not in responses:
        return False
    if not _is_yes(responses[QUESTION]):
        raise NotConfirmed
    return True


def readable_replies(responses: Any) -> dict[str, Any]:
    """The `inputResponses` of a call as the SDK accepts them."""
    if isinstance(responses, Mapping) and QUESTION not in responses:
        return {}  # the only question is asked again
    answer = responses.get(QUESTION) if isinstance(responses, Mapping) else None
    try:
        ElicitResult.model_validate(answer, by_name=False)
    except ValidationError:
        return {QUESTION: {"action": "cancel"}}
    return {QUESTION: answer}


def _is_yes(answer: object) -> bool:
    """Whether the form was accepted and its field is not false."""
    if not (isinstance(answer, ElicitResult) and answer.action == "accept"):
        return False
    said = (answer.content or {}).get(AGREED)
    return said is None or said is True


async def request_consent(
    context: ServerRequestContext[Any], message: str, deadline: float
) -> None:
    """Return once the user has consented. `message`: the question, with what it costs.

    Raises `ConsentRequired` if the client must ask and call again, and `NotConfirmed` if the user
    does not consent before the deadline, or cannot be asked.
    """
    if not is_modern(context) and not context.session.can_send_request:
        raise NotConfirmed(_NO_WAY_BACK)
    if not _can_ask(context):
        raise NotConfirmed(_CANNOT_ASK)
    if is_modern(context):
        form = ElicitRequestFormParams(message=message, requested_schema=_FORM)
        raise ConsentRequired(form)
    with anyio.move_on_after(deadline - anyio.current_time()):
        if _is_yes(await _elicit(context, message)):
            return
    raise NotConfirmed


async def _elicit(context: ServerRequestContext[Any], message: str) -> ElicitResult | None:
    """The client's reply; None if it is an error or malformed."""
    try:
        return await context.session.elicit_form(message, _FORM, context.request_id)
    except MCPError as error:
        if error.error.code == METHOD_NOT_FOUND:  # the client declares a capability that it lacks
            raise NotConfirmed(_CANNOT_ASK) from error
        return None
    except ValidationError:
        return None


def _can_ask(context: ServerRequestContext[Any]) -> bool:
    declared = context.session.client_capabilities
    modes = declared.elicitation if declared else None
    # In older versions the capability has no modes and means forms.
    return modes is not None and (modes.form is not None or modes.url is None)
