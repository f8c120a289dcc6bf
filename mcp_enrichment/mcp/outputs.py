"""The outputs of the tools: their models, and how the client's results become them.

Resources and tasks have the same outputs. The published output schemas are made from these models.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from mcp_enrichment.contract.models import EmailType, Status, Verification
from mcp_enrichment.mcp import next_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.explanation import Explanation
    from mcp_enrichment.mcp.lists import TableOutput

_KNOWN_CHARGES: dict[int | None, Literal[0, 1]] = {0: 0, 1: 1}


class EnrichmentOutput(BaseModel):
    id: str
    status: Status
    is_final: Annotated[bool, Field(description="False: still to come.")]
    email: Annotated[str | None, Field(description="Null: no address may be assumed.")]
    type: EmailType | None
    linkedin_url: str | None
    external_id: str | None
    reused: Annotated[bool, Field(description="Not paid for again.")]
    asked_at: datetime | None
    credits_charged: Annotated[
        Literal[0, 1] | None, Field(description="Null: not known, or not yet.")
    ]
    source: str | None
    verification: Verification | None
    checked_at: datetime | None
    evidence: Annotated[str | None, Field(description="Inferred from this.")]
    next_step: str | None


class WaitOutput(BaseModel):
    enrichments: list[EnrichmentOutput]
    all_final: bool
    waited_seconds: float
    timeout_applied: Annotated[bool, Field(description="The time ran out.")]
    next_step: str | None
    table: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"type": "object"}),
        Field(
            description="Of a list_id.",
            exclude_if=lambda value: value is None,
        ),
    ] = None


class CreditsOutput(BaseModel):
    balance: Annotated[int, Field(description="Credits; one pays for one address found.")]
    spent_today: Annotated[int, Field(description="Since midnight UTC; running lookups count.")]
    budget_left: Annotated[
        int | None, Field(description="What the user's budget leaves. Null: none is set.")
    ]
    next_step: str | None


def to_enrichment(result: EnrichmentResult) -> EnrichmentOutput:
    """One enrichment with its next step."""
    step = _text(next_steps.next_step(result))
    if result.callback_dropped:
        step = " ".join(filter(None, (next_steps.CALLBACK_DROPPED, step)))
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
        next_step=step,
    )


def to_wait_output(
    results: Sequence[EnrichmentResult], *, seconds: float, table: TableOutput | None = None
) -> WaitOutput:
    """The output of a wait that took this many seconds. `table`: the rows of lists."""
    left = [result for result in results if result.should_wait]
    is_table_final = table is None or table.all_final
    steps = (_text(next_steps.next_step_of_wait(left)), table.next_step if table else None)
    return WaitOutput(
        enrichments=[_to_waited(result) for result in results],
        all_final=is_table_final and all(result.is_final for result in results),
        waited_seconds=round(seconds, 1),
        timeout_applied=bool(left) or not is_table_final,
        next_step=" ".join(filter(None, steps)) or None,
        table=table.model_dump(mode="json") if table else None,
    )


def _to_waited(result: EnrichmentResult) -> EnrichmentOutput:
    one = to_enrichment(result)
    if result.is_final:
        return one
    # The next step of those that are not final is given once, for all of them.
    step = next_steps.after_read_error(result.read_error)
    return one.model_copy(update={"next_step": _text(step)})


def to_credits(credits_view: CreditsView) -> CreditsOutput:
    """The credits of the account and of the user's budget."""
    return CreditsOutput(
        balance=credits_view.balance,
        spent_today=credits_view.spent_today,
        budget_left=credits_view.left,
        next_step=_text(next_steps.after_credits(credits_view.balance, credits_view.left)),
    )


def _text(step: Explanation | None) -> str | None:
    return step.to_assistant() if step else None


def _to_datetime(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a service may send any number
