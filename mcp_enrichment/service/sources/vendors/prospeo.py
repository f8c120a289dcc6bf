"""Prospeo's person enrichment, asked for verified addresses alone.

Nearly every refusal is a 400, told apart by `error_code`. Somebody who was found before is found
again for nothing. Its limits go by the plan: 5 a second, 300 a minute and 2,000 a day on the
smallest. The end of each is told in a header, and obeyed: a day that is used up is not counted
here, as only the vendor knows which of its questions count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httpx

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy, Misconfigured, Miss, Unavailable
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    HIDDEN,
    OUT_OF_CREDIT,
    Credits,
    Shape,
    outcome_for,
    read,
    require_whole,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "verified": Verification.VERIFIED,
    "unverified": Verification.UNVERIFIED,
    "unavailable": None,
}
NOT_NOW = frozenset({"RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR"})
NOT_WITH_THIS_KEY = frozenset({"INVALID_API_KEY", "ACCOUNT_RESTRICTED"})


class _Error(Shape):
    error_code: str


class _Answered(Shape):
    error: bool


class _Email(Shape):
    email: str | None
    status: str | None = None
    revealed: bool


class _Person(Shape):
    email: _Email | None = None


class _Found(Shape):
    person: dict[str, object]
    free_enrichment: bool = False


class _Account(Shape):
    remaining_credits: Credits


class _Balance(Shape):
    response: _Account


class Prospeo(PaidVendor):
    """An address that is not `revealed` is a mask."""

    name = "prospeo"
    url = "https://api.prospeo.io"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 4.8  # of 5 a second and 300 a minute
    repeats_are_free = True
    key_header = "x-key"
    reads = frozenset({400})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        body = {"only_verified_email": True, "data": {"linkedin_url": profile}}
        return await self._find(
            "POST", "/enrich-person", lambda answer: self._read(answer, kind), json=body
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/account-information", _left)

    def _read(self, answer: Answer, kind: EmailType) -> Outcome:
        if read(_Answered, answer.body).error:
            return _refusal(read(_Error, answer.body).error_code, answer)
        found = read(_Found, answer.body)
        email = read(_Person, found.person).email
        price = 0.0 if found.free_enrichment else self.prices[kind]
        if email is None:
            require_whole(found.person, "person_id")
            return Miss(cost=price)
        if not email.revealed:
            return HIDDEN
        return outcome_for(email.email, email.status, WORDS, price=price)


def _refusal(code: str, answer: Answer) -> Outcome:
    if code == "NO_MATCH":
        return Miss()
    if code == "INSUFFICIENT_CREDITS":
        return OUT_OF_CREDIT
    if code in NOT_NOW:
        return Unavailable(retry_after=answer.retry_after)
    if code in NOT_WITH_THIS_KEY:
        return Misconfigured()
    return Lost(why=LostWhy.FAILED if answer.status == httpx.codes.OK else LostWhy.REFUSED)


def _left(answer: Answer) -> float:
    return read(_Balance, answer.body).response.remaining_credits
