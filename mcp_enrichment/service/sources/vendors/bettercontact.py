"""BetterContact's waterfall: a batch of one person, polled until it is terminated.

A batch whose credits run out is on hold. A catch-all address that it calls not safe is not a hit,
nor is one of a person who opted out (`enriched` is false). The limit is 100 requests a minute on
the smallest plan, polls included. Its front end has refused programs with a 403, whatever their
key.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Miss
from mcp_enrichment.service.sources.vendors.base import (
    FAILED,
    OUT_OF_CREDIT,
    REFUSED,
    Credits,
    HTTPVendor,
    LookupRequest,
    ReadResult,
    StartedJob,
    UnreadableResponse,
    VendorJobId,
    VendorModel,
    VendorResponse,
)

RUNNING = frozenset({"not_started", "not started", "in progress", "in_progress", "processing"})
ON_HOLD = frozenset({"on_hold", "on hold"})
STOPPED = frozenset({"failed", "error", "canceled", "cancelled"})


class _Started(StartedJob):
    job_id: Annotated[VendorJobId, Field(alias="id")]


class _Status(VendorModel):
    status: str


class _Contact(VendorModel):
    enriched: bool = True
    email: Annotated[str | None, Field(alias="contact_email_address")]
    email_status: Annotated[str | None, Field(alias="contact_email_address_status")] = None


class _Terminated(VendorModel):
    credits_consumed: Credits | None = None
    data: Annotated[list[_Contact], Field(min_length=1, max_length=1)]


class BetterContact(HTTPVendor):
    """A catch-all address is not verified, even if BetterContact calls it safe."""

    name = "bettercontact"
    url = "https://app.bettercontact.rocks/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 1.0
    status_map: ClassVar = {
        "deliverable": Verification.VERIFIED,
        "valid": Verification.VERIFIED,
        "catch_all": Verification.CATCH_ALL,
        "catch_all_safe": Verification.CATCH_ALL,
        "catch_all_not_safe": None,
        "undeliverable": None,
        "not_found": None,
    }
    request: ClassVar = LookupRequest(
        "POST",
        "/async",
        json=lambda profile, _: {
            "data": [{"linkedin_url": profile}],
            "enrich_email_address": True,
            "enrich_phone_number": False,
        },
    )
    started = _Started
    poll_path = "/async"
    poll_after = 15.0
    balance_path = "/account"
    balance_keys = ("credits_left",)
    status_outcomes: ClassVar = {406: REFUSED}  # an unknown job id

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.is_accepted:
            return None
        status = response.parse(_Status).status.lower()
        if status in RUNNING:
            return None
        if status in ON_HOLD:
            return OUT_OF_CREDIT
        if status in STOPPED:
            return FAILED
        if status != "terminated":
            raise UnreadableResponse
        batch = response.parse(_Terminated)
        contact, charged = batch.data[0], batch.credits_consumed
        if contact.email and not contact.enriched:
            return Miss(cost=charged)
        return self.address(contact.email, contact.email_status, email_type, charged=charged)
