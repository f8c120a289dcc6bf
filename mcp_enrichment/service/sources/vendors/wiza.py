"""Wiza's individual reveals: begun, and asked for again, for up to 380 s.

Addresses stand in `emails`; the best of them, or the only one, stands beside it too. An empty
account is not refused: its reveal fails, with a 200. Not documented: whether somebody who is found
without an address costs the credit for the profile (it is taken to), and its limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy, Miss
from mcp_enrichment.service.sources.vendors.paid import FEW, PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    Unreadable,
    as_word,
    mentions_address,
    outcome_for,
    rank_of,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "valid": Verification.VERIFIED,
    "catch_all": Verification.CATCH_ALL,
    "accept_all": Verification.CATCH_ALL,
    "risky": Verification.UNVERIFIED,
    "unknown": Verification.UNVERIFIED,
    "invalid": None,
    "unfound": None,
}
REVEALS = "/individual_reveals"


class _Charged(Shape):
    """What a reveal cost, told as a whole or in parts."""

    total: Credits | None = None
    email_credits: Credits | None = None
    phone_credits: Credits | None = None
    scrape_credits: Credits | None = None

    @property
    def sum(self) -> float | None:
        parts = (self.email_credits, self.phone_credits, self.scrape_credits)
        told = [part for part in parts if part is not None]
        return sum(told) if self.total is None and told else self.total


class _Bill(Shape):
    """Its `credits`; those that an account has beside those of the API are not asked for."""

    api_credits: _Charged | None = None


class _Reveal(Shape):
    id: Annotated[int, Field(ge=1, lt=10**18)]
    status: Literal["queued", "resolving", "finished", "failed"]
    fail_error: str | None = None


class _Email(Shape):
    email: str | None = None
    email_status: str | None = None
    email_type: str | None = None


class _Finished(_Email):
    emails: list[_Email] | None = None
    credits: dict[str, object] | None = None

    @property
    def told(self) -> list[_Email]:
        """Its addresses. What the list says of the one that stands alone counts only where nothing
        is said of that one there."""
        is_told = self.email and self.email_status
        more = [e for e in self.emails or () if e.email and not (is_told and e.email == self.email)]
        return [self, *more] if self.email else more

    @property
    def charged(self) -> float | None:
        if self.credits is None:
            return None
        return (read(_Bill, self.credits).api_credits or read(_Charged, self.credits)).sum


class _Envelope(Shape):
    data: dict[str, object]


class _Left(Shape):
    api_credits: Credits


class _Balance(Shape):
    credits: _Left


class Wiza(PaidVendor):
    """Two credits for an address and one for the profile."""

    name = "wiza"
    url = "https://wiza.co/api"
    prices: ClassVar = {EmailType.WORK: 3.0, EmailType.PERSONAL: 3.0}
    at_once = FEW
    miss_price = 1.0
    ask_after = 10.0
    key_header = "authorization"
    key_form = "Bearer {}"

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        body = {
            "individual_reveal": {"profile_url": profile},
            "enrichment_level": "partial",
            "email_options": {
                "accept_work": kind is EmailType.WORK,
                "accept_personal": kind is EmailType.PERSONAL,
            },
        }
        return await self._find("POST", REVEALS, lambda answer: self._read(answer, kind), json=body)

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        return await self._collect(REVEALS, ticket, lambda answer: self._read(answer, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/meta/credits", lambda answer: read(_Balance, answer.body).credits.api_credits
        )

    def _read(self, answer: Answer, kind: EmailType) -> Outcome | Working:
        data = read(_Envelope, answer.body).data
        reveal = read(_Reveal, data)
        if reveal.status == "failed":
            is_broke = reveal.fail_error == "billing_issue"
            return OUT_OF_CREDIT if is_broke else Lost(why=LostWhy.FAILED)
        if reveal.status != "finished":
            return self._working(str(reveal.id))
        finished = read(_Finished, data)
        if finished.told:
            return self._best(finished, kind)
        return self._none(finished, misplaced=mentions_address(data))

    def _best(self, reveal: _Finished, kind: EmailType) -> Outcome:
        charged, price = reveal.charged, self.prices[kind]
        fitting = [email for email in reveal.told if email.email_type in (kind, None)]
        if not fitting:
            return Miss(cost=price if charged is None else charged)
        best = min(fitting, key=lambda email: rank_of(email.email_status, WORDS))
        said = kind if best.email_type else None
        return outcome_for(
            best.email, best.email_status, WORDS, price=price, charged=charged, kind=said
        )

    def _none(self, reveal: _Finished, *, misplaced: bool) -> Outcome:
        """Of a reveal without an address. `misplaced`: there is one, but not where it should be."""
        charged, said = reveal.charged, as_word(reveal.email_status)
        is_paid = (charged or 0.0) > self.miss_price
        if WORDS.get(said) or (said not in WORDS and (misplaced or is_paid)):
            raise Unreadable
        return Miss(cost=charged)
