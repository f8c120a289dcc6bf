"""Findymail's search by business profile.

It tells only addresses that it has verified, and charges for those alone. A 200 may hold an error,
and a paused subscription is a 423. Not documented: the words of its 404, which is a miss unless it
speaks of a route, and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy, Miss
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    Unreadable,
    outcome_for,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer


class _Error(Shape):
    error: Any = None
    message: Any = None

    def is_miss(self) -> bool:
        """Of a 404: whether it says something, and not that its path is unknown."""
        said = self.error or self.message
        return isinstance(said, str) and bool(said.strip()) and "route" not in said.lower()


class _Contact(Shape):
    email: str | None


class _Found(Shape):
    contact: _Contact | None


class _Balance(Shape):
    credits: Credits


class Findymail(PaidVendor):
    """Work addresses, all of them verified."""

    name = "findymail"
    url = "https://app.findymail.com/api"
    prices: ClassVar = {EmailType.WORK: 1.0}
    at_once = 30
    key_header = "authorization"
    key_form = "Bearer {}"
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        return await self._find(
            "POST",
            "/search/business-profile",
            lambda answer: self._read(answer, kind),
            json={"linkedin_url": profile},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/credits", lambda answer: read(_Balance, answer.body).credits)

    def _read(self, answer: Answer, kind: EmailType) -> Outcome:
        said = read(_Error, answer.body)
        if "credit" in str(said.error).lower():
            return OUT_OF_CREDIT
        if answer.status in self.reads:
            if not said.is_miss():
                raise Unreadable
            return Miss()
        if said.error:
            return Lost(why=LostWhy.FAILED)
        contact = read(_Found, answer.body).contact
        if contact is None or contact.email is None:
            return Miss()
        if not contact.email:
            raise Unreadable
        words = {"": Verification.VERIFIED}
        return outcome_for(contact.email, "", words, price=self.prices[kind])
