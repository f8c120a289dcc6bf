"""Dropcontact's enrichment: a batch of one person, asked for again until it is ready.

A batch that is not ready, one that it does not know and a trouble of its own look the same: they
are asked for again. 403 means that the credits do not suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    UnreadableResponse,
    VendorJobId,
    VendorModel,
    address_outcome,
    mentions_address,
    parse,
    verification_rank,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
    "nominative@pro": Verification.VERIFIED,
    "catch_all@pro": Verification.CATCH_ALL,
    "non_confirm@pro": Verification.CATCH_ALL,
}
NOT_ASKED_FOR = ("generic@", "invalid@", "random@")
NOT_AT_WORK = ("@perso", "@invalid")
"""How the words begin and end for what is no work address of this very person."""
BATCHES = "/enrich/all"


class _Begun(VendorModel):
    success: Literal[True]
    request_id: VendorJobId


class _Answered(VendorModel):
    success: bool


class _Email(VendorModel):
    email: str
    qualification: str | None = None

    @property
    def is_asked_for(self) -> bool:
        word = self.qualification or ""
        return not (word.startswith(NOT_ASKED_FOR) or word.endswith(NOT_AT_WORK))


class _Contact(VendorModel):
    email: list[_Email] | None = None


class _Ready(VendorModel):
    data: Annotated[list[dict[str, object]], Field(min_length=1, max_length=1)]


class _Balance(VendorModel):
    credits: Credits


class Dropcontact(HTTPVendor):
    """It verifies what it tells, but at a domain that takes all mail."""

    name = "dropcontact"
    url = "https://api.dropcontact.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 60.0
    poll_after = 30.0
    key_header = "x-access-token"
    says: ClassVar = {403: OUT_OF_CREDIT}

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:  # noqa: ARG002
        return await self._find(
            "POST",
            BATCHES,
            lambda answer: self._working(parse(_Begun, answer.body).request_id),
            json={"data": [{"linkedin": profile}]},
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        return await self._collect(BATCHES, ticket, lambda answer: self._read(answer, ticket, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/account/credits", lambda answer: parse(_Balance, answer.body).credits
        )

    def _read(self, answer: VendorResponse, ticket: str, kind: EmailType) -> Outcome | InProgress:
        if not parse(_Answered, answer.body).success:
            return self._working(ticket)
        person = parse(_Ready, answer.body).data[0]
        emails = parse(_Contact, person).email or []
        if not emails and mentions_address(person):
            raise UnreadableResponse  # there is an address, but not where it should be
        fitting = [email for email in emails if email.is_asked_for]
        if not fitting:
            return Miss()
        best = min(fitting, key=lambda email: verification_rank(email.qualification, STATUS_MAP))
        said = kind if (best.qualification or "").endswith("@pro") else None
        return address_outcome(
            best.email, best.qualification, STATUS_MAP, price=self.prices[kind], kind=said
        )
