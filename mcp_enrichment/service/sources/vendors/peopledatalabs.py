"""People Data Labs' person enrichment.

It charges for whoever it knows, so that `required` names the address: without one it answers 404,
for nothing. Every repeat is charged. A free plan shows only whether there is an address, as a
boolean. It does not say that it checked one. What an answer cost stands in the header
`x-call-credits-spent`. Its limit is 100 a minute on the free plan and 1,000 on the others, where
more may be set; `x-ratelimit-reset` tells when the minute ends. Not documented: how `required`
treats an address that the plan does not show.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.base import Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    HIDDEN,
    Credits,
    UnreadableResponse,
    VendorModel,
    address_outcome,
    parse,
    require_fields,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Outcome
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

_CREDITS: TypeAdapter[float] = TypeAdapter(Credits)
FIELDS = {EmailType.WORK: "work_email", EmailType.PERSONAL: "recommended_personal_email"}


class _Error(VendorModel):
    type: Literal["not_found"]


class _Miss(VendorModel):
    error: _Error


class _Found(VendorModel):
    data: dict[str, object]


class PeopleDataLabs(HTTPVendor):
    """An address of it is never known to be right."""

    name = "peopledatalabs"
    url = "https://api.peopledatalabs.com/v5"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    per_second = 1.6  # 100 a minute, which a free plan has
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        params = {"profile": profile.removeprefix("https://www."), "required": FIELDS[kind]}
        return await self._find(
            "GET", "/person/enrich", lambda answer: self._read(answer, kind), params=params
        )

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        if answer.status in self.reads:
            parse(_Miss, answer.body)
            return Miss()
        person = parse(_Found, answer.body).data
        email, cost = person.get(FIELDS[kind]), _spent(answer, self.prices[kind])
        if email is True:
            return HIDDEN
        if FIELDS[kind] not in person:
            require_fields(person, "id", "full_name")
        if email is None or email is False:  # somebody was found all the same
            return Miss(cost=cost)
        if not isinstance(email, str) or not email:
            raise UnreadableResponse
        return address_outcome(email, None, {}, price=cost)


def _spent(answer: VendorResponse, price: float) -> float:
    """What it says that the answer cost; where it does not say, its price."""
    with suppress(ValidationError):
        return _CREDITS.validate_strings(answer.headers.get("x-call-credits-spent", ""))
    return price
