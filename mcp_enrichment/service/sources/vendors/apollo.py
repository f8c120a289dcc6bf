"""Apollo's people match. The parameters stand in the query: it overlooks those of a body.

A 403 is the plan. Its limits are 50 a minute, 200 an hour and 600 a day on the free plan, and 1,000
a minute on the others, where more may be set; a refusal says in `retry-after` when the window ends.
Not documented: whether a miss is a `person` of null or an `email` of null (both are read), how it
says that the credits are used up, and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    VendorModel,
    address_outcome,
    parse,
    require_fields,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Outcome
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
    "verified": Verification.VERIFIED,
    "guessed": Verification.INFERRED,
    "extrapolated": Verification.INFERRED,
    "unverified": Verification.UNVERIFIED,
    "likely_to_engage": Verification.UNVERIFIED,
    "unavailable": None,
    "bounced": None,
    "invalid": None,
}


class _Person(VendorModel):
    email: str | None = None
    email_status: str | None = None


class _Found(VendorModel):
    person: dict[str, object] | None


class Apollo(HTTPVendor):
    """An address that is not unlocked is a mask, which the reading of all vendors knows."""

    name = "apollo"
    url = "https://api.apollo.io/api/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 0.8  # of 50 a minute, which a free plan has

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        return await self._find(
            "POST",
            "/people/match",
            lambda answer: self._read(answer, kind),
            params={"linkedin_url": profile, "reveal_personal_emails": "false"},
        )

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        told = parse(_Found, answer.body).person
        if told is None:
            return Miss()
        person = parse(_Person, told)
        if "email" not in told:
            require_fields(told, "id")
        return address_outcome(
            person.email, person.email_status, STATUS_MAP, price=self.prices[kind]
        )
