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
from mcp_enrichment.service.sources.base import Lost, LostReason, Misconfigured, Miss, Unavailable
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    HIDDEN,
    OUT_OF_CREDIT,
    Credits,
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
    "unverified": Verification.UNVERIFIED,
    "unavailable": None,
}
NOT_NOW = frozenset({"RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR"})
NOT_WITH_THIS_KEY = frozenset({"INVALID_API_KEY", "ACCOUNT_RESTRICTED"})


class _Error(VendorModel):
    error_code: str


class _Answered(VendorModel):
    error: bool


class _Email(VendorModel):
    email: str | None
    status: str | None = None
    revealed: bool


class _Person(VendorModel):
    email: _Email | None = None


class _Found(VendorModel):
    person: dict[str, object]
    free_enrichment: bool = False


class _Account(VendorModel):
    remaining_credits: Credits


class _Balance(VendorModel):
    response: _Account


class Prospeo(HTTPVendor):
    """An address that is not `revealed` is a mask."""

    name = "prospeo"
    url = "https://api.prospeo.io"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 4.8  # of 5 a second and 300 a minute
    idempotent_billing = True
    key_header = "x-key"
    reads = frozenset({400})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        body = {"only_verified_email": True, "data": {"linkedin_url": profile}}
        return await self._find(
            "POST", "/enrich-person", lambda answer: self._read(answer, kind), json=body
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/account-information", _left)

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        if parse(_Answered, answer.body).error:
            return _refusal(parse(_Error, answer.body).error_code, answer)
        found = parse(_Found, answer.body)
        email = parse(_Person, found.person).email
        price = 0.0 if found.free_enrichment else self.prices[kind]
        if email is None:
            require_fields(found.person, "person_id")
            return Miss(cost=price)
        if not email.revealed:
            return HIDDEN
        return address_outcome(email.email, email.status, STATUS_MAP, price=price)


def _refusal(code: str, answer: VendorResponse) -> Outcome:
    if code == "NO_MATCH":
        return Miss()
    if code == "INSUFFICIENT_CREDITS":
        return OUT_OF_CREDIT
    if code in NOT_NOW:
        return Unavailable(retry_after=answer.retry_after)
    if code in NOT_WITH_THIS_KEY:
        return Misconfigured()
    return Lost(why=LostReason.FAILED if answer.status == httpx.codes.OK else LostReason.REFUSED)


def _left(answer: VendorResponse) -> float:
    return parse(_Balance, answer.body).response.remaining_credits
