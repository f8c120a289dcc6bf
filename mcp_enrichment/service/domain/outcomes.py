"""Converts a source's answer to the row that stores it, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.models import EmailType, Reason, Verification
from mcp_enrichment.service.sources.exports.mailbox import kind_of
from mcp_enrichment.service.sources.port import (
    AddressDefect,
    Hit,
    Lost,
    LostWhy,
    Misconfigured,
    Miss,
    Outcome,
    Unavailable,
    Working,
)
from mcp_enrichment.service.store.source_calls import Call, State

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Terms

MAX_EMAIL = 254
MAX_TICKET = 200
MAX_EVIDENCE = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """The source has an address, and it is not told: it counts as a miss."""

    defect: AddressDefect


@dataclass(frozen=True, slots=True)
class Pause:
    """There is nothing to do for this request now: look again in so many seconds."""

    seconds: float


SourceOutcome = Outcome | Refused


def fitting(outcome: Outcome | Working) -> Outcome | Working:
    """The outcome, or `Lost` where it cannot be what it says: no table has room for it."""
    if isinstance(outcome, Hit) and not 0 < len(outcome.email) <= MAX_EMAIL:
        return Lost(why=LostWhy.UNREADABLE)
    if isinstance(outcome, Working) and not 0 < len(outcome.ticket) <= MAX_TICKET:
        return Lost(why=LostWhy.UNREADABLE)
    return outcome


def of_kind(hit: Hit, asked: EmailType, terms: Terms) -> Hit | Miss:
    """The hit of a vendor, or a miss where its address is of the other kind. One at a free-mail
    provider is no work address, unless the vendor says of this very one that it is."""
    said = hit.kind or (kind_of(hit.email) if asked is EmailType.WORK else asked)
    return hit if said is asked else Miss(cost=_cost(hit.cost, terms.hit))


def values_of(outcome: Outcome | Working, terms: Terms | None, *, now: float) -> dict[str, Any]:
    """What a row keeps of an outcome. `terms`: of a vendor."""
    if isinstance(outcome, Working):
        ask_at = now + outcome.ask_after
        return {"state": State.WORKING, "ticket": outcome.ticket, "ask_at": ask_at}
    return {"answered_at": now} | _answered(outcome, terms, now=now)


def _answered(outcome: Outcome, terms: Terms | None, *, now: float) -> dict[str, Any]:
    if isinstance(outcome, Hit):
        return {
            "state": State.HIT,
            "email": outcome.email,
            "verification": outcome.verification,
            "checked_at": outcome.checked_at,
            "evidence": outcome.evidence and outcome.evidence[:MAX_EVIDENCE],
            "reason": outcome.reason,
            "cost": _cost(outcome.cost, terms.hit if terms else 0.0),
        }
    if isinstance(outcome, Miss):
        cost = _cost(outcome.cost, terms.miss if terms else 0.0)
        return {"state": State.MISS, "reason": outcome.reason, "cost": cost}
    if isinstance(outcome, Unavailable):
        return {"state": State.UNAVAILABLE, "ask_at": now + (outcome.retry_after or 0.0)}
    if isinstance(outcome, Lost):
        return {"state": State.LOST, "reason": outcome.why}
    return {"state": State.MISCONFIGURED, "reason": outcome.reason}


def outcome_of(call: Call, *, now: float) -> SourceOutcome | Pause:
    """What a row says. `Pause` where its outcome is still to come."""
    if call.state is State.HIT and call.email is not None:
        return _hit(call, call.email)
    if call.state is State.MISS:
        return Miss(reason=call.told_reason)
    if call.state is State.MISCONFIGURED:
        return Misconfigured(reason=call.told_reason or Reason.SOURCES_MISCONFIGURED)
    return _without(call, wait=max((call.ask_at or now) - now, 0.0))


def _hit(call: Call, email: str) -> Hit:
    return Hit(
        email=email,
        verification=call.verification or Verification.UNVERIFIED,
        checked_at=call.checked_at,
        evidence=call.evidence,
        reason=call.told_reason,
    )


def _without(call: Call, *, wait: float) -> SourceOutcome | Pause:
    """What a row says that holds no answer, or none that is told."""
    if call.state is State.REFUSED:
        return Refused(AddressDefect(str(call.reason)))
    if call.state is State.UNAVAILABLE:
        return Unavailable(retry_after=wait)
    if call.state is State.LOST:
        return Lost(why=LostWhy(str(call.reason)))
    if call.state is State.HIT:  # the request has ended meanwhile, and its addresses are gone
        return Lost(why=LostWhy.NO_ANSWER)
    return Pause(wait)


def _cost(said: float | None, price: float) -> float:
    return price if said is None else said
