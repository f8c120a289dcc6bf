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
    match outcome:
        case Hit() if _fits(outcome.email, MAX_EMAIL):
            checked_at = _finite(outcome.checked_at)
            return replace(outcome, cost=_valid_cost(outcome.cost), checked_at=checked_at)
        case Miss():
            return replace(outcome, cost=_valid_cost(outcome.cost))
        case InProgress() if _fits(outcome.job_id, MAX_JOB_ID):
            return replace(outcome, poll_after=_finite(outcome.poll_after) or 0.0)
        case Hit() | InProgress():
            return Lost(why=LostReason.UNREADABLE)
        case Unavailable():
            return replace(outcome, retry_after=_finite(outcome.retry_after))
    return outcome


def _fits(text: str, longest: int) -> bool:
    """Whether both databases can store the text: no NUL for Postgres, no lone surrogate, which JSON
    can hold."""
    return 0 < len(text) <= longest and "\0" not in text and _NO_TEXT.search(text) is None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _valid_cost(cost: float | None) -> float | None:
    return cost if cost is not None and 0 <= cost < math.inf else None


def match_email_type(hit: Hit, wanted: EmailType, terms: Terms) -> Hit | Miss:
    """The vendor's hit, or a miss if its address is of the other type. An address at a free-mail
    provider is a work address only if the vendor says so of this very one."""
    stated = hit.email_type or (email_type_of(hit.email) if wanted is EmailType.WORK else wanted)
    return hit if stated is wanted else Miss(cost=_cost(hit.cost, terms.hit))


def to_columns(outcome: Outcome | InProgress, terms: Terms | None, *, now: float) -> dict[str, Any]:
    """The columns that store a result. `terms`: those of a vendor."""
    columns: dict[str, Any]
    match outcome:
        case InProgress(job_id=job_id, poll_after=poll_after):
            working = CallState.WORKING
            return {"state": working, "vendor_job_id": job_id, "next_poll_at": now + poll_after}
        case Hit():
            columns = {
                "state": CallState.HIT,
                "email": outcome.email,
                "verification": outcome.verification,
                "checked_at": outcome.checked_at,
                "evidence": outcome.evidence and outcome.evidence[:MAX_EVIDENCE],
                "reason": outcome.reason,
                "cost": _cost(outcome.cost, terms.hit if terms else 0.0),
            }
        case Miss():
            cost = _cost(outcome.cost, terms.miss if terms else 0.0)
            columns = {"state": CallState.MISS, "reason": outcome.reason, "cost": cost}
        case Unavailable():
            next_poll_at = now + (outcome.retry_after or 0.0)
            columns = {"state": CallState.UNAVAILABLE, "next_poll_at": next_poll_at}
        case Lost():
            columns = {"state": CallState.LOST, "reason": outcome.why}
        case Misconfigured():
            columns = {"state": CallState.MISCONFIGURED, "reason": outcome.reason}
    return columns | {"answered_at": now}


def from_row(call: SourceCall, *, now: float) -> SourceOutcome | Reschedule:
    """The result in a row; `Reschedule` if there is none yet."""
    wait = max((call.next_poll_at or now) - now, 0.0)
    result: SourceOutcome | Reschedule
    match call.state:
        case CallState.HIT if call.email is not None:
            result = Hit(
                email=call.email,
                verification=call.verification or Verification.UNVERIFIED,
                checked_at=call.checked_at,
                evidence=call.evidence,
                reason=call.typed_reason,
            )
        case CallState.HIT:  # the request is completed, and its addresses are deleted
            result = Lost(why=LostReason.NO_ANSWER)
        case CallState.MISS:
            result = Miss(reason=call.typed_reason)
        case CallState.MISCONFIGURED:
            result = Misconfigured(reason=call.typed_reason or Reason.SOURCES_MISCONFIGURED)
        case CallState.REJECTED:
            result = AddressRejected(AddressDefect(str(call.reason)))
        case CallState.UNAVAILABLE:
            result = Unavailable(retry_after=wait)
        case CallState.LOST:
            result = Lost(why=LostReason(str(call.reason)))
        case _:
            result = Reschedule(wait)
    return result


def _cost(stated: float | None, price: float) -> float:
    return price if stated is None else stated
