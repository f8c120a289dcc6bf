"""Apollo's people match. The parameters stand in the query: it overlooks those of a body.

A 403 is the plan. Not documented: whether a miss is a `person` of null or an `email` of null (both
are read), its limits, how it says that the credits are used up, and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Miss
from mcp_enrichment.service.sources.vendors.paid import FEW, PaidVendor
from mcp_enrichment.service.sources.vendors.reading import Shape, outcome_for, read

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "verified": Verification.VERIFIED,
    "guessed": Verification.INFERRED,
    "extrapolated": Verification.INFERRED,
    "bounced": None,
    "invalid": None,
}


class _Person(Shape):
    email: str | None
    email_status: str | None = None


class _Found(Shape):
    person: _Person | None


class Apollo(PaidVendor):
    """An address that is not unlocked is a mask, which the reading of all vendors knows."""

    name = "apollo"
    url = "https://api.apollo.io/api/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    at_once = FEW

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        return await self._find(
            "POST",
            "/people/match",
            lambda answer: self._read(answer, kind),
            params={"linkedin_url": profile, "reveal_personal_emails": "false"},
        )

    def _read(self, answer: Answer, kind: EmailType) -> Outcome:
        person = read(_Found, answer.body).person
        if person is None:
            return Miss()
        return outcome_for(person.email, person.email_status, WORDS, price=self.prices[kind])
