"""Apollo's people match. Its parameters are in the query, as Apollo ignores those in a body.

A 403 means that the plan does not include it. The limits are 50 a minute, 200 an hour and 600 a day
on the free plan, and 1,000 a minute on the others, where more may be set; a refusal says in
`retry-after` when the window ends. Not documented: whether a miss is a `person` of null or an
`email` of null (both are read), how it reports that the credits are used up, and whether a repeated
request is charged.
"""

from __future__ import annotations

from typing import ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    VendorModel,
    VendorResponse,
    require_fields,
    statuses,
)


class _Person(VendorModel):
    email: str | None = None
    email_status: str | None = None


class _Found(VendorModel):
    person: dict[str, object] | None


class Apollo(HTTPVendor):
    """A locked email is masked; `address` detects the mask."""

    name = "apollo"
    url = "https://api.apollo.io/api/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    limit = SourceLimit(per_second=0.8)  # of 50 a minute on the free plan
    status_map: ClassVar = statuses(
        "unavailable",
        verified="verified",
        inferred="guessed extrapolated",
        unverified="unverified likely_to_engage",
    )
    request: ClassVar = LookupRequest(
        "POST",
        "/people/match",
        params=lambda profile, _: {"linkedin_url": profile, "reveal_personal_emails": "false"},
    )

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        record = response.parse(_Found).person
        if record is None:
            return Miss()
        person = response.parse(_Person, record)
        if "email" not in record:
            require_fields(record, "id")
        return self.address(person.email, person.email_status, email_type)
