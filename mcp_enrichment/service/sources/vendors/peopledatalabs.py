"""People Data Labs' person enrichment.

It charges for every known person, so `required` names the address: without one the answer is 404,
free of charge. Every repeated request is charged. A free plan shows only whether there is an
address, as a boolean. It does not say that it verified one. The header `x-call-credits-spent` holds
the cost. The limit is 100 a minute on the free plan and 1,000 on the others, where more may be set;
`x-ratelimit-reset` says when the minute ends. Not documented: how `required` treats an address that
the plan does not show.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, ClassVar, Literal

from pydantic import ValidationError

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import HIDDEN, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    CREDITS,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    at,
    require_fields,
)

FIELDS = {EmailType.WORK: "work_email", EmailType.PERSONAL: "recommended_personal_email"}


class _NotFound(VendorModel):
    type: Annotated[Literal["not_found"], at("error", "type")]


class _Found(VendorModel):
    data: dict[str, object]


class PeopleDataLabs(HTTPVendor):
    """Its emails are never verified."""

    name = "peopledatalabs"
    url = "https://api.peopledatalabs.com/v5"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    limit = SourceLimit(per_second=1.6)  # of 100 a minute on the free plan
    request: ClassVar = LookupRequest(
        "GET",
        "/person/enrich",
        params=lambda profile, email_type: {
            "profile": profile.removeprefix("https://www."),
            "required": FIELDS[email_type],
        },
    )
    readable_statuses = frozenset({404})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.status in self.readable_statuses:
            response.parse(_NotFound)
            return Miss()
        person = response.parse(_Found).data
        email, cost = person.get(FIELDS[email_type]), _cost(response, self.prices[email_type])
        if email is True:
            return HIDDEN
        if FIELDS[email_type] not in person:
            require_fields(person, "id", "full_name")
        if email is None or email is False:  # the person was found, and is charged
            return Miss(cost=cost)
        if not isinstance(email, str) or not email:
            raise UnreadableResponse
        return self.address(email, None, email_type, charged=cost)


def _cost(response: VendorResponse, price: float) -> float:
    """The cost in the header, or the price."""
    with suppress(ValidationError):
        return CREDITS.validate_strings(response.headers.get("x-call-credits-spent", ""))
    return price
