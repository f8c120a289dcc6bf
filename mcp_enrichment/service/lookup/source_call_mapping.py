"""Converts a source's result to a row of `source_calls`, and back."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.models import EmailType, Reason, Verification
from mcp_enrichment.service.lookup.source_call_table import CallState, SourceCall
from mcp_enrichment.service.queue.job import Reschedule
from mcp_enrichment.service.sources.base import (
    AddressDefect,
    Hit,
    InProgress,
    Lost,
    LostReason,
    Misconfigured,
    Miss,
    Outcome,
    Unavailable,
)
from mcp_enrichment.service.sources.exports.email_address import email_type_of

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Terms

MAX_EMAIL = 254
MAX_JOB_ID = 200
MAX_EVIDENCE = 200
_NO_TEXT = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AddressRejected:
    """The source's address has a defect: it counts as a miss."""

    defect: AddressDefect


SourceOutcome = Outcome | AddressRejected


def storable(outcome: Outcome | InProgress) -> Outcome | InProgress:
    """The result as a row can hold it: `Lost` if its text does not fit, without numbers that are
    not finite."""
    if isinstance(outcome, Hit):
        checked_at = _finite(outcome.checked_at)
        hit = replace(outcome, cost=_valid_cost(outcome.cost), checked_at=checked_at)
        return hit if _fits(hit.email, MAX_EMAIL) else Lost(why=LostReason.UNREADABLE)
    if isinstance(outcome, Miss):
        return replace(outcome, cost=_valid_cost(outcome.cost))
    if isinstance(outcome, InProgress):
        working = replace(outcome, poll_after=_finite(outcome.poll_after) or 0.0)
        return working if _fits(outcome.job_id, MAX_JOB_ID) else Lost(why=LostReason.UNREADABLE)
    if isinstance(outcome, Unavailable):
        return replace(outcome, retry_after=_finite(outcome.retry_after))
    return outcome


def _fits(text: str, longest: int) -> bool:
    """Whether both databases can store the text: no NUL for Postgres, no lone surrogate, which JSON
    can hold."""
    return 0 < len(text) <= longest and "\0" not in text and _NO_TEXT.search(text) is None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _valid_cost(cost: float | None) -> float | None:
    stated = _finite(cost)
    return stated if stated is not None and stated >= 0 else None


def match_email_type(hit: Hit, wanted: EmailType, terms: Terms) -> Hit | Miss:
    """The vendor's hit, or a miss if its address is of the other type. An address at a free-mail
    provider is a work address only if the vendor says so of this very one."""
    stated = hit.email_type or (email_type_of(hit.email) if wanted is EmailType.WORK else wanted)
    return hit if stated is wanted else Miss(cost=_cost(hit.cost, terms.hit))


def to_columns(outcome: Outcome | InProgress, terms: Terms | None, *, now: float) -> dict[str, Any]:
    """The columns that store a result. `terms`: those of a vendor."""
    if isinstance(outcome, InProgress):
        next_poll_at = now + outcome.poll_after
        return {
            "state": CallState.WORKING,
            "vendor_job_id": outcome.job_id,
            "next_poll_at": next_poll_at,
        }
    return {"answered_at": now} | _final_columns(outcome, terms, now=now)


def _final_columns(outcome: Outcome, terms: Terms | None, *, now: float) -> dict[str, Any]:
    if isinstance(outcome, Hit):
        return {
            "state": CallState.HIT,
            "email": outcome.email,
            "verification": outcome.verification,
            "checked_at": outcome.checked_at,
            "evidence": outcome.evidence and outcome.evidence[:MAX_EVIDENCE],
            "reason": outcome.reason,
            "cost": _cost(outcome.cost, terms.hit if terms else 0.0),
        }
    if isinstance(outcome, Miss):
        cost = _cost(outcome.cost, terms.miss if terms else 0.0)
        return {"state": CallState.MISS, "reason": outcome.reason, "cost": cost}
    if isinstance(outcome, Unavailable):
        return {"state": CallState.UNAVAILABLE, "next_poll_at": now + (outcome.retry_after or 0.0)}
    if isinstance(outcome, Lost):
        return {"state": CallState.LOST, "reason": outcome.why}
    return {"state": CallState.MISCONFIGURED, "reason": outcome.reason}


def from_row(call: SourceCall, *, now: float) -> SourceOutcome | Reschedule:
    """The result in a row; `Reschedule` if there is none yet."""
    if call.state is CallState.HIT and call.email is not None:
        return _hit(call, call.email)
    if call.state is CallState.MISS:
        return Miss(reason=call.typed_reason)
    if call.state is CallState.MISCONFIGURED:
        return Misconfigured(reason=call.typed_reason or Reason.SOURCES_MISCONFIGURED)
    return _from_row_without_address(call, wait=max((call.next_poll_at or now) - now, 0.0))


def _hit(call: SourceCall, email: str) -> Hit:
    return Hit(
        email=email,
        verification=call.verification or Verification.UNVERIFIED,
        checked_at=call.checked_at,
        evidence=call.evidence,
        reason=call.typed_reason,
    )


def _from_row_without_address(call: SourceCall, *, wait: float) -> SourceOutcome | Reschedule:
    """The result in a row without an address."""
    if call.state is CallState.REJECTED:
        return AddressRejected(AddressDefect(str(call.reason)))
    if call.state is CallState.UNAVAILABLE:
        return Unavailable(retry_after=wait)
    if call.state is CallState.LOST:
        return Lost(why=LostReason(str(call.reason)))
    if call.state is CallState.HIT:  # the request is completed, and its addresses are deleted
        return Lost(why=LostReason.NO_ANSWER)
    return Reschedule(wait)


def _cost(stated: float | None, price: float) -> float:
    return price if stated is None else stated
