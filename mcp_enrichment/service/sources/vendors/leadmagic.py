"""LeadMagic: work and personal addresses of a profile, at two paths.

A miss is a success that consumed nothing or says `not_found`, or a 404 that speaks of the profile.
An address stands under one of several names: its pages and its OpenAPI document differ. Not
documented: the words of that 404 (without them it is not taken for a miss), and whether a repeat is
charged. Its limit is 300 a minute at each path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    Credits,
    UnreadableResponse,
    VendorModel,
    address_outcome,
    normalize_word,
    parse,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

PATHS = {
    EmailType.WORK: "/people/b2b-profile-email",
    EmailType.PERSONAL: "/people/personal-email-finder",
}
STATUS_MAP = {
    "valid": Verification.VERIFIED,
    "valid_catch_all": Verification.CATCH_ALL,
    "catch_all": Verification.CATCH_ALL,
    "found": Verification.UNVERIFIED,
    "unknown": Verification.UNVERIFIED,
    "not_found": None,
}
_NO_PROFILE = re.compile(r"(?<![\w/-])profile(?![\w/-])", re.IGNORECASE)
"""The word, and no part of a path: that one is not found would be another thing."""


class _Problem(VendorModel):
    detail: str | None = None


class _Found(VendorModel):
    status: str | None = None
    credits_consumed: Credits | None = None

    @property
    def says_none(self) -> bool:
        """Whether it says that it has none: by its word, or, without one, by what it charged."""
        return normalize_word(self.status) == "not_found" or (
            not self.status and self.credits_consumed == 0
        )


class _Work(_Found):
    email: str | None = None
    work_email: str | None = None

    @property
    def told(self) -> str | None:
        return self.email or self.work_email


class _Personal(_Found):
    personal_email: str | None = None
    first_personal_email: str | None = None
    personal_emails: list[str] | None = None

    @property
    def told(self) -> str | None:
        first = next(iter(self.personal_emails or ()), None)
        return self.personal_email or self.first_personal_email or first


class _Balance(VendorModel):
    credits: Credits


class LeadMagic(HTTPVendor):
    """Few of its answers have a word for how an address was checked."""

    name = "leadmagic"
    url = "https://api.leadmagic.io/v1"
    prices: ClassVar = {EmailType.WORK: 5.0, EmailType.PERSONAL: 2.0}
    per_second = 5.0
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        return await self._find(
            "POST",
            PATHS[kind],
            lambda answer: self._read(answer, kind),
            json={"profile_url": profile},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/credits", lambda answer: parse(_Balance, answer.body).credits)

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        if answer.status in self.reads:
            detail = parse(_Problem, answer.body).detail or ""
            return Miss() if _NO_PROFILE.search(detail) else Lost(why=LostReason.REFUSED)
        is_work = kind is EmailType.WORK
        found = parse(_Work, answer.body) if is_work else parse(_Personal, answer.body)
        if not found.told and not found.says_none:
            raise UnreadableResponse
        charged, price = found.credits_consumed, self.prices[kind]
        return address_outcome(found.told, found.status, STATUS_MAP, price=price, charged=charged)
