"""Prospeo's person enrichment, restricted to verified addresses.

Nearly every refusal is a 400, distinguished by `error_code`. A person who was found before is found
again free of charge. The limits depend on the plan: 5 a second, 300 a minute and 2,000 a day on the
smallest. The end of each window is in a header, and obeyed: the daily limit is not counted here, as
only the vendor knows which requests count.
"""

from __future__ import annotations

from typing import ClassVar

import httpx

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import (
    Lost,
    LostReason,
    Misconfigured,
    Miss,
    Outcome,
    Unavailable,
)
from mcp_enrichment.service.sources.vendors.base import (
    HIDDEN,
    OUT_OF_CREDIT,
    HTTPVendor,
    LookupRequest,
    ReadResult,
    VendorModel,
    VendorResponse,
    parse,
    require_fields,
)

RETRYABLE = frozenset({"RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR"})
KEY_REFUSED = frozenset({"INVALID_API_KEY", "ACCOUNT_RESTRICTED"})


class _Error(VendorModel):
    error_code: str


class _Envelope(VendorModel):
    error: bool


class _Email(VendorModel):
    email: str | None
    status: str | None = None
    revealed: bool


class _Person(VendorModel):
    email: _Email | None = None


class _Found(VendorModel):
    person: dict[str, object]
    free_enrichment: bool = False


class Prospeo(HTTPVendor):
    """An email that is not `revealed` is masked."""

    name = "prospeo"
    url = "https://api.prospeo.io"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 4.8  # of 5 a second and 300 a minute
    idempotent_billing = True
    key_header = "x-key"
    status_map: ClassVar = {
        "verified": Verification.VERIFIED,
        "unverified": Verification.UNVERIFIED,
        "unavailable": None,
    }
    request: ClassVar = LookupRequest(
        "POST",
        "/enrich-person",
        json=lambda profile, _: {"only_verified_email": True, "data": {"linkedin_url": profile}},
    )
    balance_path = "/account-information"
    balance_keys = ("response", "remaining_credits")
    readable_statuses = frozenset({400})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.parse(_Envelope).error:
            return _failure(response.parse(_Error).error_code, response)
        found = response.parse(_Found)
        email = parse(_Person, found.person).email
        price = 0.0 if found.free_enrichment else self.prices[email_type]
        if email is None:
            require_fields(found.person, "person_id")
            return Miss(cost=price)
        if not email.revealed:
            return HIDDEN
        return self.address(email.email, email.status, email_type, price=price)


def _failure(code: str, response: VendorResponse) -> Outcome:
    if code == "NO_MATCH":
        return Miss()
    if code == "INSUFFICIENT_CREDITS":
        return OUT_OF_CREDIT
    if code in RETRYABLE:
        return Unavailable(retry_after=response.retry_after)
    if code in KEY_REFUSED:
        return Misconfigured()
    is_success = response.status == httpx.codes.OK
    return Lost(why=LostReason.FAILED if is_success else LostReason.REFUSED)
