"""Converts what the client returns into the models of tools, resources and tasks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from mcp_enrichment.mcp import next_steps
from mcp_enrichment.mcp.models import CreditsOutput, EnrichmentOutput, WaitOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.explanation import Explanation

_KNOWN_CHARGES: dict[int | None, Literal[0, 1]] = {0: 0, 1: 1}


def to_enrichment(answer: EnrichmentResult) -> EnrichmentOutput:
    """One enrichment, with its next step."""
    return EnrichmentOutput(
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
        source=answer.source,
        verification=answer.verification,
        checked_at=_moment(answer.checked_at),
        evidence=answer.evidence,
        next_step=_said_of(answer),
    )


def to_wait_output(answers: Sequence[EnrichmentResult], *, seconds: float) -> WaitOutput:
    """What a wait of so many seconds came to."""
    left = [next_step_of(answer) for answer in answers if answer.should_wait]
    all_final = all(answer.is_final for answer in answers)
    return WaitOutput(
        enrichments=[_in_a_wait(answer) for answer in answers],
        all_final=all_final,
        waited_seconds=round(seconds, 1),
        timeout_applied=bool(left),
        next_step=_said(next_steps.after_all(left)),
    )


def _in_a_wait(answer: EnrichmentResult) -> EnrichmentOutput:
    one = to_enrichment(answer)
    if answer.is_final:
        return one
    # What to do about those that are not final is said once, for all of them.
    return one.model_copy(update={"next_step": _said(_unread(answer.read_error))})


def to_credits(purse: CreditsView) -> CreditsOutput:
    """The credits of the account and of the user's budget."""
    return CreditsOutput(
        balance=purse.balance,
        spent_today=purse.spent_today,
        budget_left=purse.left,
        next_step=_said(next_steps.after_credits(purse.balance, purse.left)),
    )


def next_step_of(answer: EnrichmentResult) -> Explanation | None:
    """What to do with it now; None where there is nothing left to do."""
    return next_steps.after(answer.status, answer.reason, answer.verification, _age(answer))


def _said_of(answer: EnrichmentResult) -> str | None:
    step = _said(next_step_of(answer))
    if not answer.callback_dropped:
        return step
    return " ".join(filter(None, (next_steps.CALLBACK_DROPPED, step)))


def _unread(error: EnrichmentError | None) -> Explanation | None:
    if error is None:
        return None
    return next_steps.NOT_READ if error.retryable else next_steps.ANSWER_UNUSABLE


def _said(step: Explanation | None) -> str | None:
    return step.to_assistant() if step else None


def _age(answer: EnrichmentResult) -> float:
    return 0.0 if answer.asked_at is None else time.time() - answer.asked_at


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number
