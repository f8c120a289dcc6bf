"""Salesfinity, the vendor of the contract itself.

Not documented: its limits, and whether a lookup that ends as `failed` costs anything. It has no
idempotency key and no list of requests: a request with a lost response cannot be found again.
"""

from __future__ import annotations

from typing import ClassVar

from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import (
    EmailType,
    EnrichmentBody,
    EnrichmentRequest,
    Status,
)
from mcp_enrichment.service.sources.base import FAILED, Miss
from mcp_enrichment.service.sources.vendors.base import (
    HTTPVendor,
    LookupRequest,
    ReadResult,
)
from mcp_enrichment.service.sources.vendors.responses import UnreadableResponse, VendorResponse


class Salesfinity(HTTPVendor):
    """It does not say how an email was verified."""

    name = "salesfinity"
    url = VENDOR_URL
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    request: ClassVar = LookupRequest(
        "POST",
        ENRICHMENTS,
        json=lambda profile, email_type: EnrichmentRequest(
            linkedin_url=profile, type=email_type
        ).model_dump(mode="json", exclude_none=True),
    )
    poll_after = 5.0
    balance_path = CREDITS
    balance_keys = ("balance",)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        found = response.parse(EnrichmentBody)
        if not found.status.is_final:
            return self.in_progress(found.id)
        if found.status is Status.FAILED:
            return FAILED
        if found.status is Status.NOT_FOUND:
            return Miss()
        if found.email is None:
            raise UnreadableResponse
        stated = found.email.type
        if stated not in (email_type, None):
            return Miss(cost=self.prices[email_type])
        return self.address(found.email.email, None, email_type, stated=stated)
