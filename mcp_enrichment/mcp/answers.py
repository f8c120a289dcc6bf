"""Converts what the client returns into the models of tools, resources and tasks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from mcp_enrichment.mcp import sentences
from mcp_enrichment.mcp.models import Balance, Enrichment, Waited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.answer import Answer
    from mcp_enrichment.client.spending import Purse
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.explanation import Explanation

_KNOWN_CHARGES: dict[int | None, Literal[0, 1]] = {0: 0, 1: 1}


def enrichment_of(answer: Answer) -> Enrichment:
    """One enrichment, with its next step."""
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
        source=answer.source,
        verification=answer.verification,
        checked_at=_moment(answer.checked_at),
        evidence=answer.evidence,
        next_step=_said_of(answer),
    )


def waited_of(answers: Sequence[Answer], *, seconds: float) -> Waited:
    """What a wait of so many seconds came to."""
    left = [next_step_of(answer) for answer in answers if answer.is_worth_waiting]
    all_final = all(answer.is_final for answer in answers)
    return Waited(
        enrichments=[_in_a_wait(answer) for answer in answers],
        all_final=all_final,
        waited_seconds=round(seconds, 1),
        timeout_applied=bool(left),
        next_step=_said(sentences.after_all(left)),
    )


def _in_a_wait(answer: Answer) -> Enrichment:
    one = enrichment_of(answer)
    if answer.is_final:
        return one
    # What to do about those that are not final is said once, for all of them.
    return one.model_copy(update={"next_step": _said(_unread(answer.unread))})


def balance_of(purse: Purse) -> Balance:
    """The credits of the account and of the user's budget."""
    return Balance(
        balance=purse.balance,
        spent_today=purse.spent_today,
        budget_left=purse.left,
        next_step=_said(sentences.after_credits(purse.balance, purse.left)),
    )


def next_step_of(answer: Answer) -> Explanation | None:
    """What to do with it now; None where there is nothing left to do."""
    return sentences.after(answer.status, answer.reason, answer.verification, _age(answer))


def _said_of(answer: Answer) -> str | None:
    step = _said(next_step_of(answer))
    if not answer.callback_is_dropped:
        return step
    return " ".join(filter(None, (sentences.CALLBACK_DROPPED, step)))


def _unread(error: EnrichmentError | None) -> Explanation | None:
    if error is None:
        return None
    return sentences.NOT_READ if error.retryable else sentences.ANSWER_UNUSABLE


def _said(step: Explanation | None) -> str | None:
    return step.to_assistant() if step else None


def _age(answer: Answer) -> float:
    return 0.0 if answer.asked_at is None else time.time() - answer.asked_at


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number
