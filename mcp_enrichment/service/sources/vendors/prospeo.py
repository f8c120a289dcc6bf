"""Prospeo's person enrichment, restricted to verified addresses.

Nearly every refusal is a 400, distinguished by `error_code`. A person who was found before is found
again free of charge. The limits depend on the plan: 5 a second, 300 a minute and 2,000 a day on the
smallest. The end of each window is in a header, and obeyed: the daily limit is not counted here, as
only the vendor knows which requests count.
"""

from __future__ import annotations

from typing import ClassVar

import httpx

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import (
    FAILED,
    HIDDEN,
    OUT_OF_CREDIT,
    REFUSED,
    Misconfigured,
    Miss,
    Outcome,
    Unavailable,
)
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    VendorModel,
    VendorResponse,
    require_fields,
    statuses,
)

ERRORS: dict[str, Outcome] = {
    "NO_MATCH": Miss(),
    "INSUFFICIENT_CREDITS": OUT_OF_CREDIT,
    **dict.fromkeys(("INVALID_API_KEY", "ACCOUNT_RESTRICTED"), Misconfigured()),
    **dict.fromkeys(("RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR"), Unavailable()),
}
"""The meaning of `error_code`."""


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
    limit = SourceLimit(per_second=4.8)  # of 5 a second and 300 a minute
    idempotent_billing = True
    headers: ClassVar = {"x-key": "{key}"}
    status_map: ClassVar = statuses("unavailable", verified="verified", unverified="unverified")
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
            unknown = FAILED if response.status == httpx.codes.OK else REFUSED
            return response.timed(ERRORS.get(response.parse(_Error).error_code, unknown))
        found = response.parse(_Found)
        email = response.parse(_Person, found.person).email
        charged = 0.0 if found.free_enrichment else None
        if email is None:
            require_fields(found.person, "person_id")
            return Miss(cost=self.cost(email_type, charged))
        if not email.revealed:
            return HIDDEN
        return self.address(email.email, email.status, email_type, charged=charged)
