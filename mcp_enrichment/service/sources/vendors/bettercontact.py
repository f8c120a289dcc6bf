"""BetterContact's waterfall: a batch of one person, polled until it is terminated.

A batch whose credits run out is on hold. A catch-all address that it calls not safe is not a hit,
nor is one of a person who opted out (`enriched` is false). The limit is 100 requests a minute on
the smallest plan, polls included. Its front end has refused programs with a 403, whatever their
key.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import FAILED, OUT_OF_CREDIT, REFUSED, Failure, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    Credits,
    One,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    at,
    normalize_word,
    statuses,
)

JOB_STATES: dict[str, Failure | None] = {
    **dict.fromkeys(("not_started", "in_progress", "processing")),
    "on_hold": OUT_OF_CREDIT,
    **dict.fromkeys(("failed", "error", "canceled", "cancelled"), FAILED),
}
"""The states of a batch without a result. None: it is running."""


class _Status(VendorModel):
    status: str


class _Contact(VendorModel):
    enriched: bool = True
    email: Annotated[str | None, at("contact_email_address")]
    email_status: Annotated[str | None, at("contact_email_address_status")] = None


class _Terminated(VendorModel):
    credits_consumed: Credits | None = None
    data: One[_Contact]


class BetterContact(HTTPVendor):
    """A catch-all address is not verified, even if BetterContact calls it safe."""

    name = "bettercontact"
    url = "https://app.bettercontact.rocks/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    limit = SourceLimit(per_second=1.0)
    status_map: ClassVar = statuses(
        "catch_all_not_safe", verified="deliverable valid", catch_all="catch_all catch_all_safe"
    )
    request: ClassVar = LookupRequest(
        "POST",
        "/async",
        json=lambda profile, _: {
            "data": [{"linkedin_url": profile}],
            "enrich_email_address": True,
            "enrich_phone_number": False,
        },
    )
    job_id_key = "id"
    poll_after = 15.0
    balance_path = "/account"
    balance_keys = ("credits_left",)
    status_outcomes: ClassVar = {406: REFUSED}  # an unknown job id

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.is_accepted:
            return None
        status = normalize_word(response.parse(_Status).status)
        if status in JOB_STATES:
            return JOB_STATES[status]
        if status != "terminated":
            raise UnreadableResponse
        batch = response.parse(_Terminated)
        contact, charged = batch.data[0], batch.credits_consumed
        if contact.email and not contact.enriched:
            return Miss(cost=charged)
        return self.address(contact.email, contact.email_status, email_type, charged=charged)
