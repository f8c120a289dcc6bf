"""Converts the client's results into the models of tools, resources and tasks."""

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
    from mcp_enrichment.mcp.lists import TableOutput

_KNOWN_CHARGES: dict[int | None, Literal[0, 1]] = {0: 0, 1: 1}


def to_enrichment(result: EnrichmentResult) -> EnrichmentOutput:
    """One enrichment with its next step."""
    return EnrichmentOutput(
        id=result.id,
        status=result.status,
        is_final=result.is_final,
        email=result.email,
        type=result.type,
        linkedin_url=result.linkedin_url,
        external_id=result.external_id,
        reused=result.reused,
        asked_at=_to_datetime(result.asked_at),
        credits_charged=_KNOWN_CHARGES.get(result.credits_charged),
        source=result.source,
        verification=result.verification,
        checked_at=_to_datetime(result.checked_at),
        evidence=result.evidence,
        next_step=_next_step_text(result),
    )


def to_wait_output(
    results: Sequence[EnrichmentResult], *, seconds: float, table: TableOutput | None = None
) -> WaitOutput:
    """The output of a wait that took this many seconds. `table`: the rows of lists."""
    left = [next_step_of(result) for result in results if result.should_wait]
    steps = [_text(next_steps.next_step_of_wait(left)), table.next_step if table else None]
    all_final = all(result.is_final for result in results) and (table is None or table.all_final)
    return WaitOutput(
        enrichments=[_to_waited(result) for result in results],
        all_final=all_final,
        waited_seconds=round(seconds, 1),
        timeout_applied=bool(left) or not (table is None or table.all_final),
        next_step=" ".join(filter(None, steps)) or None,
        table=table.model_dump(mode="json") if table else None,
    )


def _to_waited(result: EnrichmentResult) -> EnrichmentOutput:
    one = to_enrichment(result)
    if result.is_final:
        return one
    # The next step of those that are not final is given once, for all of them.
    return one.model_copy(update={"next_step": _text(_read_error_step(result.read_error))})


def to_credits(credits_view: CreditsView) -> CreditsOutput:
    """The credits of the account and of the user's budget."""
    return CreditsOutput(
        balance=credits_view.balance,
        spent_today=credits_view.spent_today,
        budget_left=credits_view.left,
        next_step=_text(next_steps.after_credits(credits_view.balance, credits_view.left)),
    )


def next_step_of(result: EnrichmentResult) -> Explanation | None:
    """What to do next; None if there is nothing to do."""
    age = 0.0 if result.asked_at is None else time.time() - result.asked_at
    return next_steps.next_step(result.status, result.reason, result.verification, age)


def _next_step_text(result: EnrichmentResult) -> str | None:
    step = _text(next_step_of(result))
    if not result.callback_dropped:
        return step
    return " ".join(filter(None, (next_steps.CALLBACK_DROPPED, step)))


def _read_error_step(error: EnrichmentError | None) -> Explanation | None:
    if error is None:
        return None
    return next_steps.NOT_READ if error.retryable else next_steps.ANSWER_UNUSABLE


def _text(step: Explanation | None) -> str | None:
    return step.to_assistant() if step else None


def _to_datetime(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number
