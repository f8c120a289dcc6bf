"""Prospeo's person enrichment, asked for verified addresses alone.

Nearly every refusal is a 400, told apart by `error_code`. Somebody who was found before is found
again for nothing. Not documented in numbers: its limits, which go by the plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httpx

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy, Misconfigured, Miss, Unavailable
from mcp_enrichment.service.sources.vendors.paid import FEW, PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    HIDDEN,
    OUT_OF_CREDIT,
    Credits,
    Shape,
    outcome_for,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {"verified": Verification.VERIFIED}


class _Error(Shape):
    error_code: str


class _Answered(Shape):
    error: bool


class _Email(Shape):
    email: str | None
    status: str | None
    revealed: bool


class _Person(Shape):
    email: _Email | None


class _Found(Shape):
    person: _Person
    free_enrichment: bool


class _Account(Shape):
    remaining_credits: Credits


class _Balance(Shape):
    response: _Account


class Prospeo(PaidVendor):
    """An address that is not `revealed` is a mask."""

    name = "prospeo"
    url = "https://api.prospeo.io"
    prices: ClassVar = {EmailType.WORK: 1.0}
    at_once = FEW
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
        email = found.person.email
        if email is None:
            return Miss()
        if not email.revealed:
            return HIDDEN
        price = 0.0 if found.free_enrichment else self.prices[kind]
        return outcome_for(email.email, email.status, WORDS, price=price)


def _refusal(code: str, answer: Answer) -> Outcome:
    if code == "NO_MATCH":
        return Miss()
    if code == "INSUFFICIENT_CREDITS":
        return OUT_OF_CREDIT
    if code == "RATE_LIMITED":
        return Unavailable(retry_after=answer.retry_after)
    if code == "INVALID_API_KEY":
        return Misconfigured()
    return Lost(why=LostWhy.FAILED if answer.status == httpx.codes.OK else LostWhy.REFUSED)


def _left(answer: Answer) -> float:
    return read(_Balance, answer.body).response.remaining_credits
