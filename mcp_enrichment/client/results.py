"""The result that the client returns: the service's response with the fields that are saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import MAX_EXTERNAL_ID, EmailType, Status

if TYPE_CHECKING:
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import EnrichmentBody, Reason, Verification


_TYPES = {kind.enrichment_type: kind for kind in EmailType}


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrichmentResult:
    """One enrichment. Times are in seconds since the epoch."""

    id: str
    status: Status
    email: str | None = None
    type: EmailType | None = None
    linkedin_url: str | None = None
    """Canonical; None if the service returns a URL without a canonical form."""
    external_id: str | None = None
    reused: bool = False
    """An earlier request, which is not paid for again."""
    asked_at: float | None = None
    credits_charged: int | None = None
    """0 or 1; None until the request is final, and if the service does not say."""
    reason: Reason | None = None
    source: str | None = None
    """The source of the email, if the service says."""
    verification: Verification | None = None
    """The verification of the email, if the service reports one."""
    checked_at: float | None = None
    """When the source last verified it, if known."""
    evidence: str | None = None
    """The evidence of an inferred email: "first.last, 12 of 12 at example.com"."""

    callback_url: str | None = None
    """The request's callback_url, if this call knows it."""
    callback_dropped: bool = False
    """The callback_url of this call is not registered, because an earlier request is reused."""

    read_error: EnrichmentError | None = None
    """Why its state could not be read, in a wait that could read others."""

    @property
    def is_final(self) -> bool:
        return self.status.is_final

    @property
    def should_wait(self) -> bool:
        """Whether another wait may help: it is not final, and its response was usable."""
        return not self.is_final and (self.read_error is None or self.read_error.retryable)


def from_response(body: EnrichmentBody) -> EnrichmentResult:
    """The result of a response alone."""
    is_completed = body.status is Status.COMPLETED
    is_found = body.email is not None and is_completed
    charges_silently = is_completed and body.credits_charged is None
    return EnrichmentResult(
        id=body.id,
        status=body.status,
        # Before the end, and without a find, it can only be a mask or a guess.
        email=body.email.email if body.email and is_found else None,
        type=(body.email and body.email.type) or _TYPES.get(body.enrichment_type or ""),
        linkedin_url=canonical_or_none(body.linkedin_url),
        # Text from outside, bounded and in one line.
        external_id=body.external_id
        and "".join(c for c in body.external_id[:MAX_EXTERNAL_ID] if c.isprintable()),
        asked_at=body.created_at,
        credits_charged=1 if charges_silently else body.credits_charged,
        reason=body.reason,
        source=body.source if is_found else None,
        verification=body.verification if is_found else None,
        checked_at=body.checked_at if is_found else None,
        evidence=body.evidence if is_found else None,
    )


def as_reused(result: EnrichmentResult) -> EnrichmentResult:
    """The same result for another call, which costs nothing."""
    return replace(result, reused=True, credits_charged=0)


def canonical_or_none(url: str) -> str | None:
    """The canonical URL of a profile; None for another text."""
    try:
        return canonical_profile_url(url)
    except ProfileURLError:
        return None
