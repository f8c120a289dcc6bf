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
        next_step=_said(next_step_of(answer)),
    )


def waited_of(answers: Sequence[Answer], *, seconds: float) -> Waited:
    """What a wait of so many seconds came to."""
    enrichments = [enrichment_of(answer) for answer in answers]
    left = [next_step_of(answer) for answer in answers if not answer.is_final]
    all_final = not left
    return Waited(
        # What to do about those that are not final is said once, for all of them.
        enrichments=[
            one if one.is_final else one.model_copy(update={"next_step": None})
            for one in enrichments
        ],
        all_final=all_final,
        waited_seconds=round(seconds, 1),
        timeout_applied=not all_final,
        next_step=_said(sentences.after_all(left)),
    )


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


def _said(step: Explanation | None) -> str | None:
    return step.to_assistant() if step else None


def _age(answer: Answer) -> float:
    return 0.0 if answer.asked_at is None else time.time() - answer.asked_at


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number
