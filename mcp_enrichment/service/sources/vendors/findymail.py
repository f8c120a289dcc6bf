"""Findymail's search by business profile.

It returns only addresses that it has verified, and charges for those alone. A 200 may contain an
error, and a paused subscription is a 423. Not documented: the words of its 404, which is a miss
unless it mentions a route, and whether a repeated request is charged.
"""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import FAILED, OUT_OF_CREDIT, Miss
from mcp_enrichment.service.sources.vendors.base import (
    BEARER,
    HTTPVendor,
    LookupRequest,
    ReadResult,
)
from mcp_enrichment.service.sources.vendors.responses import (
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    statuses,
)


class _Error(VendorModel):
    error: Any = None
    message: Any = None

    def is_miss(self) -> bool:
        """Whether a 404 has a message, and not one about an unknown path."""
        message = self.error or self.message
        return isinstance(message, str) and bool(message.strip()) and "route" not in message.lower()


class _Contact(VendorModel):
    email: str | None


class _Found(VendorModel):
    contact: _Contact | None


class Findymail(HTTPVendor):
    """Work emails, all of them verified."""

    name = "findymail"
    url = "https://app.findymail.com/api"
    prices: ClassVar = {EmailType.WORK: 1.0}
    limit = SourceLimit(at_once=30)
    headers = BEARER
    status_map: ClassVar = statuses(verified="verified")
    request: ClassVar = LookupRequest(
        "POST", "/search/business-profile", json=lambda profile, _: {"linkedin_url": profile}
    )
    balance_path = "/credits"
    balance_keys = ("credits",)
    readable_statuses = frozenset({404})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        error = response.parse(_Error)
        if "credit" in str(error.error).lower():
            return OUT_OF_CREDIT
        if response.status in self.readable_statuses:
            if not error.is_miss():
                raise UnreadableResponse
            return Miss()
        if error.error:
            return FAILED
        contact = response.parse(_Found).contact
        if contact is None or contact.email is None:
            return Miss()
        if not contact.email:
            raise UnreadableResponse
        return self.address(contact.email, "verified", email_type)
