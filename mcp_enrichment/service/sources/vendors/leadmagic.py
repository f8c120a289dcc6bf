"""LeadMagic: work and personal addresses of a profile, at two paths.

A miss is a success that consumed nothing, or a 404 that speaks of the profile. Not documented: the
words of that 404 (without them it is not taken for a miss), and whether a repeat is charged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.port import Lost, LostWhy, Miss
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import Credits, Shape, outcome_for, read

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

PATHS = {
    EmailType.WORK: "/people/b2b-profile-email",
    EmailType.PERSONAL: "/people/personal-email-finder",
}
_NO_PROFILE = re.compile(r"(?<![\w/-])profile(?![\w/-])", re.IGNORECASE)
"""The word, and no part of a path: that one is not found would be another thing."""


class _Problem(Shape):
    detail: str | None = None


class _Consumed(Shape):
    credits_consumed: Credits


class _Work(_Consumed):
    email: str | None


class _Personal(_Consumed):
    personal_email: str | None


class _Balance(Shape):
    credits: Credits


class LeadMagic(PaidVendor):
    """Its answer has no word for how an address was checked."""

    name = "leadmagic"
    url = "https://api.leadmagic.io/v1"
    prices: ClassVar = {EmailType.WORK: 5.0, EmailType.PERSONAL: 2.0}
    per_second = 25.0
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        return await self._find(
            "POST",
            PATHS[kind],
            lambda answer: self._read(answer, kind),
            json={"profile_url": profile},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/credits", lambda answer: read(_Balance, answer.body).credits)

    def _read(self, answer: Answer, kind: EmailType) -> Outcome:
        if answer.status in self.reads:
            detail = read(_Problem, answer.body).detail or ""
            return Miss() if _NO_PROFILE.search(detail) else Lost(why=LostWhy.REFUSED)
        consumed = read(_Consumed, answer.body).credits_consumed
        if kind is EmailType.WORK:
            email = read(_Work, answer.body).email
        else:
            email = read(_Personal, answer.body).personal_email
        return outcome_for(email, None, {}, price=self.prices[kind], charged=consumed)
