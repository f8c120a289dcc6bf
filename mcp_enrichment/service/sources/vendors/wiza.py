"""Wiza's individual reveals: begun, and asked for again, for up to 380 s.

An empty account is not refused: its reveal fails, with a 200. Not documented: whether somebody who
is found without an address costs the credit for the profile (it is taken to), and its limits.
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
    outcome_for,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "valid": Verification.VERIFIED,
    "catch_all": Verification.CATCH_ALL,
    "invalid": None,
}
REVEALS = "/individual_reveals"


class _Total(Shape):
    total: Credits


class _Charged(Shape):
    api_credits: _Total


class _Reveal(Shape):
    id: Annotated[int, Field(ge=1, lt=10**18)]
    status: Literal["queued", "resolving", "finished", "failed"]
    fail_error: str | None = None


class _Finished(Shape):
    email: str | None = None
    email_status: str | None
    email_type: str | None = None
    credits: _Charged | None = None


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
        return self._finished(read(_Finished, data), kind)

    def _finished(self, reveal: _Finished, kind: EmailType) -> Outcome:
        charged = reveal.credits.api_credits.total if reveal.credits else None
        price = self.prices[kind]
        if reveal.email and reveal.email_type not in (kind, None):
            return Miss(cost=price if charged is None else charged)
        if not reveal.email and reveal.email_status == "unfound":
            return Miss(cost=charged)
        said = kind if reveal.email_type else None
        return outcome_for(
            reveal.email, reveal.email_status, WORDS, price=price, charged=charged, kind=said
        )
