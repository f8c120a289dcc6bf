"""Combines the sources' results into the outcome of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Reason, Status, Verification
from mcp_enrichment.service.requests.request_table import LookupOutcome
from mcp_enrichment.service.sources.base import Hit, Lost, Misconfigured, Miss, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.service.lookup.source_call_mapping import SourceOutcome

DECISIVE = (Verification.VERIFIED, Verification.OWN_DATA)
"""After an address of these no further source is queried."""
FALLBACK = (Verification.UNVERIFIED, Verification.CATCH_ALL, Verification.INFERRED)
"""Kept in case nothing better comes, the best first."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    source: str
    outcome: SourceOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Unresolved:
    """A source was unavailable, and no other one has a verified address."""

    retry_after: Sequence[float]
    """The `Retry-After` of each unavailable source, in seconds; 0 if it sent none."""
    fallback: LookupOutcome
    """The outcome if the source stays unavailable."""


def is_decisive(outcome: SourceOutcome) -> bool:
    return isinstance(outcome, Hit) and outcome.verification in DECISIVE


def is_charged(status: Status, verification: Verification | None) -> bool:
    """Whether the outcome spends the credit: an inferred address is free."""
    return status is Status.COMPLETED and verification is not Verification.INFERRED


def resolve(answers: Sequence[SourceAnswer]) -> LookupOutcome | Unresolved:
    """The best address found; not found only if every source missed."""
    outcomes = [answered.outcome for answered in answers]
    waits = [o.retry_after or 0.0 for o in outcomes if isinstance(o, Unavailable)]
    end = best_hit(answers) or _failure(outcomes) or _not_found(outcomes)
    decided = any(is_decisive(outcome) for outcome in outcomes)
    return Unresolved(retry_after=waits, fallback=end) if waits and not decided else end


def best_hit(answers: Sequence[SourceAnswer]) -> LookupOutcome | None:
    """The best address found; None if there is none."""
    hits = [(a.outcome, a.source) for a in answers if isinstance(a.outcome, Hit)]
    for verification in (*DECISIVE, *FALLBACK):
        for hit, source in hits:
            if hit.verification is verification:
                return _found(hit, source)
    return None


def _found(hit: Hit, source: str) -> LookupOutcome:
    return LookupOutcome(
        status=Status.COMPLETED,
        email=hit.email,
        source=source,
        verification=hit.verification,
        checked_at=hit.checked_at,
        evidence=hit.evidence,
        reason=hit.reason,
    )


def _failure(outcomes: Sequence[SourceOutcome]) -> LookupOutcome | None:
    """The reason of a failure, those first that may have cost money; None: every source missed."""
    if any(isinstance(outcome, Lost) for outcome in outcomes):
        return _failed(Reason.ANSWER_LOST)
    if any(isinstance(outcome, Unavailable) for outcome in outcomes):
        return _failed(Reason.SOURCES_UNAVAILABLE)
    for outcome in outcomes:
        if isinstance(outcome, Misconfigured):
            return _failed(outcome.reason)
    # Without a source for this type nobody has said that there is no address.
    return None if outcomes else _failed(Reason.SOURCES_MISCONFIGURED)


def _failed(reason: Reason) -> LookupOutcome:
    return LookupOutcome(status=Status.FAILED, reason=reason)


def _not_found(outcomes: Sequence[SourceOutcome]) -> LookupOutcome:
    """Every source missed. The reason is kept if all have the same one."""
    reasons = {outcome.reason if isinstance(outcome, Miss) else None for outcome in outcomes}
    return LookupOutcome(
        status=Status.NOT_FOUND, reason=reasons.pop() if len(reasons) == 1 else None
    )
