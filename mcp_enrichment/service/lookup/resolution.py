"""What the sources' answers come to, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Reason, Status, Verification
from mcp_enrichment.service.sources.base import Hit, Lost, Misconfigured, Miss, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.service.lookup.source_call_mapping import SourceOutcome

DECISIVE = (Verification.VERIFIED, Verification.OWN_DATA)
"""After an address of these no further source is asked."""
FALLBACK = (Verification.UNVERIFIED, Verification.CATCH_ALL, Verification.INFERRED)
"""What is kept in case nothing better comes, the best first."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source has said."""

    source: str
    outcome: SourceOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOutcome:
    """How a request ends."""

    status: Status
    email: str | None = None
    source: str | None = None
    verification: Verification | None = None
    checked_at: float | None = None
    evidence: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unresolved:
    """A source could not be asked, and no other one has a verified address."""

    waits: Sequence[float]
    """Seconds that each source which is away asked to wait; 0 where it did not."""
    otherwise: RequestOutcome
    """How the request ends if the source stays away."""


def is_decisive(outcome: SourceOutcome) -> bool:
    """Whether no further source is to be asked."""
    return isinstance(outcome, Hit) and outcome.verification in DECISIVE


def is_charged(status: Status, verification: Verification | None) -> bool:
    """Whether such an end spends the credit: an address that nobody has seen is free."""
    return status is Status.COMPLETED and verification is not Verification.INFERRED


def resolve(answers: Sequence[SourceAnswer]) -> RequestOutcome | Unresolved:
    """The best address that was said; a miss only where every source missed."""
    outcomes = [answered.outcome for answered in answers]
    waits = [o.retry_after or 0.0 for o in outcomes if isinstance(o, Unavailable)]
    end = best_hit(answers) or _failure(outcomes) or _not_found(outcomes)
    decided = any(is_decisive(outcome) for outcome in outcomes)
    return Unresolved(waits=waits, otherwise=end) if waits and not decided else end


def best_hit(answers: Sequence[SourceAnswer]) -> RequestOutcome | None:
    """The best address that was said; None where none was."""
    hits = [(a.outcome, a.source) for a in answers if isinstance(a.outcome, Hit)]
    for verification in (*DECISIVE, *FALLBACK):
        for hit, source in hits:
            if hit.verification is verification:
                return _found(hit, source)
    return None


def _found(hit: Hit, source: str) -> RequestOutcome:
    return RequestOutcome(
        status=Status.COMPLETED,
        email=hit.email,
        source=source,
        verification=hit.verification,
        checked_at=hit.checked_at,
        evidence=hit.evidence,
        reason=hit.reason,
    )


def _failure(outcomes: Sequence[SourceOutcome]) -> RequestOutcome | None:
    """Why it is not known whether there is an address; what may have cost money comes first."""
    if any(isinstance(outcome, Lost) for outcome in outcomes):
        return _failed(Reason.ANSWER_LOST)
    if any(isinstance(outcome, Unavailable) for outcome in outcomes):
        return _failed(Reason.SOURCES_UNAVAILABLE)
    for outcome in outcomes:
        if isinstance(outcome, Misconfigured):
            return _failed(outcome.reason)
    # No source has addresses of that kind: nobody has said that there is none.
    return None if outcomes else _failed(Reason.SOURCES_MISCONFIGURED)


def _failed(reason: Reason) -> RequestOutcome:
    return RequestOutcome(status=Status.FAILED, reason=reason)


def _not_found(outcomes: Sequence[SourceOutcome]) -> RequestOutcome:
    """Every source missed. A reason is told where it is the same for all."""
    reasons = {outcome.reason if isinstance(outcome, Miss) else None for outcome in outcomes}
    return RequestOutcome(
        status=Status.NOT_FOUND, reason=reasons.pop() if len(reasons) == 1 else None
    )
