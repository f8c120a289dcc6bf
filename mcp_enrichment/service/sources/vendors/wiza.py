"""Wiza's individual reveals: begun, and asked for again, for up to 380 s.

Addresses stand in `emails`; the best of them, or the only one, stands beside it too. An empty
account is not refused: its reveal fails, with a 200. Not documented: whether somebody who is found
without an address costs the credit for the profile (it is taken to), and its limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason, Miss
from mcp_enrichment.service.sources.vendors.base import DEFAULT_CONCURRENCY, HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    UnreadableResponse,
    VendorModel,
    address_outcome,
    mentions_address,
    normalize_word,
    parse,
    verification_rank,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
    "valid": Verification.VERIFIED,
    "catch_all": Verification.CATCH_ALL,
    "accept_all": Verification.CATCH_ALL,
    "risky": Verification.UNVERIFIED,
    "unknown": Verification.UNVERIFIED,
    "invalid": None,
    "unfound": None,
}
REVEALS = "/individual_reveals"


class _Charged(VendorModel):
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


class _Bill(VendorModel):
    """Its `credits`; those that an account has beside those of the API are not asked for."""

    api_credits: _Charged | None = None


class _Reveal(VendorModel):
    id: Annotated[int, Field(ge=1, lt=10**18)]
    status: Literal["queued", "resolving", "finished", "failed"]
    fail_error: str | None = None


class _Email(VendorModel):
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
        return (parse(_Bill, self.credits).api_credits or parse(_Charged, self.credits)).sum


class _Envelope(VendorModel):
    data: dict[str, object]


class _Left(VendorModel):
    api_credits: Credits


class _Balance(VendorModel):
    credits: _Left


class Wiza(HTTPVendor):
    """Two credits for an address and one for the profile."""

    name = "wiza"
    url = "https://wiza.co/api"
    prices: ClassVar = {EmailType.WORK: 3.0, EmailType.PERSONAL: 3.0}
    at_once = DEFAULT_CONCURRENCY
    miss_price = 1.0
    poll_after = 10.0
    key_header = "authorization"
    key_form = "Bearer {}"

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        body = {
            "individual_reveal": {"profile_url": profile},
            "enrichment_level": "partial",
            "email_options": {
                "accept_work": kind is EmailType.WORK,
                "accept_personal": kind is EmailType.PERSONAL,
            },
        }
        return await self._find("POST", REVEALS, lambda answer: self._read(answer, kind), json=body)

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        return await self._collect(REVEALS, ticket, lambda answer: self._read(answer, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/meta/credits", lambda answer: parse(_Balance, answer.body).credits.api_credits
        )

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome | InProgress:
        data = parse(_Envelope, answer.body).data
        reveal = parse(_Reveal, data)
        if reveal.status == "failed":
            is_broke = reveal.fail_error == "billing_issue"
            return OUT_OF_CREDIT if is_broke else Lost(why=LostReason.FAILED)
        if reveal.status != "finished":
            return self._working(str(reveal.id))
        finished = parse(_Finished, data)
        if finished.told:
            return self._best(finished, kind)
        return self._none(finished, misplaced=mentions_address(data))

    def _best(self, reveal: _Finished, kind: EmailType) -> Outcome:
        charged, price = reveal.charged, self.prices[kind]
        fitting = [email for email in reveal.told if email.email_type in (kind, None)]
        if not fitting:
            return Miss(cost=price if charged is None else charged)
        best = min(fitting, key=lambda email: verification_rank(email.email_status, STATUS_MAP))
        said = kind if best.email_type else None
        return address_outcome(
            best.email, best.email_status, STATUS_MAP, price=price, charged=charged, kind=said
        )

    def _none(self, reveal: _Finished, *, misplaced: bool) -> Outcome:
        """Of a reveal without an address. `misplaced`: there is one, but not where it should be."""
        charged, said = reveal.charged, normalize_word(reveal.email_status)
        is_paid = (charged or 0.0) > self.miss_price
        if STATUS_MAP.get(said) or (said not in STATUS_MAP and (misplaced or is_paid)):
            raise UnreadableResponse
        return Miss(cost=charged)
