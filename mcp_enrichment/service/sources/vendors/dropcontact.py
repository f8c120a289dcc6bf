"""Dropcontact's enrichment: a batch of one person, asked for again until it is ready.

A batch that is not ready, one that it does not know and a trouble of its own look the same: they
are asked for again. 403 means that the credits do not suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Miss
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    Ticket,
    Unreadable,
    mentions_address,
    outcome_for,
    rank_of,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "nominative@pro": Verification.VERIFIED,
    "catch_all@pro": Verification.CATCH_ALL,
    "non_confirm@pro": Verification.CATCH_ALL,
}
NOT_ASKED_FOR = ("generic@", "invalid@", "random@")
NOT_AT_WORK = ("@perso", "@invalid")
"""How the words begin and end for what is no work address of this very person."""
BATCHES = "/enrich/all"


class _Begun(Shape):
    success: Literal[True]
    request_id: Ticket


class _Answered(Shape):
    success: bool


class _Email(Shape):
    email: str
    qualification: str | None = None

    @property
    def is_asked_for(self) -> bool:
        word = self.qualification or ""
        return not (word.startswith(NOT_ASKED_FOR) or word.endswith(NOT_AT_WORK))


class _Contact(Shape):
    email: list[_Email] | None = None


class _Ready(Shape):
    data: Annotated[list[dict[str, object]], Field(min_length=1, max_length=1)]


class _Balance(Shape):
    credits: Credits


class Dropcontact(PaidVendor):
    """It verifies what it tells, but at a domain that takes all mail."""

    name = "dropcontact"
    url = "https://api.dropcontact.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 60.0
    ask_after = 30.0
    key_header = "x-access-token"
    says: ClassVar = {403: OUT_OF_CREDIT}

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:  # noqa: ARG002
        return await self._find(
            "POST",
            BATCHES,
            lambda answer: self._working(read(_Begun, answer.body).request_id),
            json={"data": [{"linkedin": profile}]},
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        return await self._collect(BATCHES, ticket, lambda answer: self._read(answer, ticket, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/account/credits", lambda answer: read(_Balance, answer.body).credits
        )

    def _read(self, answer: Answer, ticket: str, kind: EmailType) -> Outcome | Working:
        if not read(_Answered, answer.body).success:
            return self._working(ticket)
        person = read(_Ready, answer.body).data[0]
        emails = read(_Contact, person).email or []
        if not emails and mentions_address(person):
            raise Unreadable  # there is an address, but not where it should be
        fitting = [email for email in emails if email.is_asked_for]
        if not fitting:
            return Miss()
        best = min(fitting, key=lambda email: rank_of(email.qualification, WORDS))
        said = kind if (best.qualification or "").endswith("@pro") else None
        return outcome_for(
            best.email, best.qualification, WORDS, price=self.prices[kind], kind=said
        )
