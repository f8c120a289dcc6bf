"""What the client returns: a request as the service reports it, with what the memory knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import MAX_EXTERNAL_ID, EmailType, Status

if TYPE_CHECKING:
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import EnrichmentBody, Reason, Verification


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrichmentResult:
    """One enrichment. Times are seconds since the epoch."""

    id: str
    status: Status
    email: str | None = None
    type: EmailType | None = None
    linkedin_url: str | None = None
    """Canonical; None where the service names a profile that has no canonical form."""
    external_id: str | None = None
    reused: bool = False
    """Answered from the memory: asked before, and not paid for again."""
    asked_at: float | None = None
    credits_charged: int | None = None
    """0 or 1; None while the end is open, and where the service does not tell."""
    reason: Reason | None = None
    source: str | None = None
    """Where the address comes from, where the service tells."""
    verification: Verification | None = None
    """How far the address is known to be right, where the service tells."""
    checked_at: float | None = None
    """When its source last checked it, where it is known."""
    evidence: str | None = None
    """What an inferred address follows from: "first.last, 12 of 12 at example.com"."""

    callback_url: str | None = None
    """The callback_url of the request, if this call knows it."""
    callback_dropped: bool = False
    """The callback_url of this call is not registered: an earlier request was joined."""

    read_error: EnrichmentError | None = None
    """Why its state could not be read, where others that were waited for could."""

    @property
    def is_final(self) -> bool:
        return self.status.is_final

    @property
    def should_wait(self) -> bool:
        """Whether asking again may tell more: neither an end nor an answer that cannot be used."""
        return not self.is_final and (self.read_error is None or self.read_error.retryable)


def from_response(wire: EnrichmentBody) -> EnrichmentResult:
    """What the wire alone says."""
    found = wire.email is not None and wire.status is Status.COMPLETED
    return EnrichmentResult(
        id=wire.id,
        status=wire.status,
        # A mask, or a guess, of a lookup that is still running or found nothing is not told.
        email=wire.email.email if wire.email and found else None,
        type=_type_of(wire),
        linkedin_url=_canonical_or_none(wire.linkedin_url),
        external_id=_harmless(wire.external_id),
        asked_at=wire.created_at,
        credits_charged=_charged(wire),
        reason=wire.reason,
        source=wire.source if found else None,
        verification=wire.verification if found else None,
        checked_at=wire.checked_at if found else None,
        evidence=wire.evidence if found else None,
    )


def as_reused(answer: EnrichmentResult) -> EnrichmentResult:
    """The same answer, told once more: reading it again costs nothing."""
    return replace(answer, reused=True, credits_charged=0)


def _canonical_or_none(url: str) -> str | None:
    try:
        return canonical_profile_url(url)
    except ProfileURLError:
        return None


def _harmless(echo: str | None) -> str | None:
    """What should be the caller's own reference, but comes from outside: bounded, in one line."""
    return echo and "".join(c for c in echo[:MAX_EXTERNAL_ID] if c.isprintable())


def _type_of(wire: EnrichmentBody) -> EmailType | None:
    if wire.email and wire.email.type:
        return wire.email.type
    return next((t for t in EmailType if t.enrichment_type == wire.enrichment_type), None)


def _charged(wire: EnrichmentBody) -> int | None:
    if wire.credits_charged is None and wire.status is Status.COMPLETED:
        return 1
    return wire.credits_charged
