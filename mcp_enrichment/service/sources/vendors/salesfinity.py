"""Salesfinity, the vendor of the contract itself.

Not documented: its limits, and whether a lookup that ends as `failed` costs anything. It knows no
idempotency key and lists no requests: one whose answer is lost is not found again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import (
    Credits,
    EmailType,
    EnrichmentBody,
    EnrichmentRequest,
    Status,
)
from mcp_enrichment.service.sources.port import Lost, LostWhy, Miss
from mcp_enrichment.service.sources.vendors.paid import FEW, PaidVendor
from mcp_enrichment.service.sources.vendors.reading import Unreadable, outcome_for, read

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer


class Salesfinity(PaidVendor):
    """It does not say how it checked an address."""

    name = "salesfinity"
    url = VENDOR_URL
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    at_once = FEW
    ask_after = 5.0

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        body = EnrichmentRequest(linkedin_url=profile, type=kind)
        return await self._find(
            "POST",
            ENRICHMENTS,
            lambda answer: self._read(answer, kind),
            json=body.model_dump(mode="json", exclude_none=True),
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        return await self._collect(ENRICHMENTS, ticket, lambda answer: self._read(answer, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(CREDITS, lambda a: float(read(Credits, a.body).balance))

    def _read(self, answer: Answer, kind: EmailType) -> Outcome | Working:
        found = read(EnrichmentBody, answer.body)
        if not found.status.is_final:
            return self._working(found.id)
        if found.status is Status.FAILED:
            return Lost(why=LostWhy.FAILED)
        if found.status is Status.NOT_FOUND:
            return Miss()
        if found.email is None:
            raise Unreadable
        if found.email.type not in (kind, None):
            return Miss(cost=self.prices[kind])
        said = found.email.type
        return outcome_for(found.email.email, None, {}, price=self.prices[kind], kind=said)
