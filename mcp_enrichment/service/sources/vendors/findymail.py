"""Findymail's search by business profile.

It tells only addresses that it has verified, and charges for those alone. A 200 may hold an error,
and a paused subscription is a 423. Not documented: the words of its 404, which is a miss unless it
speaks of a route, and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    UnreadableResponse,
    VendorModel,
    address_outcome,
    parse,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse


class _Error(VendorModel):
    error: Any = None
    message: Any = None

    def is_miss(self) -> bool:
        """Of a 404: whether it says something, and not that its path is unknown."""
        said = self.error or self.message
        return isinstance(said, str) and bool(said.strip()) and "route" not in said.lower()


class _Contact(VendorModel):
    email: str | None


class _Found(VendorModel):
    contact: _Contact | None


class _Balance(VendorModel):
    credits: Credits


class Findymail(HTTPVendor):
    """Work addresses, all of them verified."""

    name = "findymail"
    url = "https://app.findymail.com/api"
    prices: ClassVar = {EmailType.WORK: 1.0}
    at_once = 30
    key_header = "authorization"
    key_form = "Bearer {}"
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        return await self._find(
            "POST",
            "/search/business-profile",
            lambda answer: self._read(answer, kind),
            json={"linkedin_url": profile},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/credits", lambda answer: parse(_Balance, answer.body).credits)

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        said = parse(_Error, answer.body)
        if "credit" in str(said.error).lower():
            return OUT_OF_CREDIT
        if answer.status in self.reads:
            if not said.is_miss():
                raise UnreadableResponse
            return Miss()
        if said.error:
            return Lost(why=LostReason.FAILED)
        contact = parse(_Found, answer.body).contact
        if contact is None or contact.email is None:
            return Miss()
        if not contact.email:
            raise UnreadableResponse
        words = {"": Verification.VERIFIED}
        return address_outcome(contact.email, "", words, price=self.prices[kind])
