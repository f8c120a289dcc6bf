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
from mcp_enrichment.service.sources.base import Lost, LostReason, Miss
from mcp_enrichment.service.sources.vendors.base import DEFAULT_CONCURRENCY, HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    UnreadableResponse,
    address_outcome,
    parse,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse


class Salesfinity(HTTPVendor):
    """It does not say how it checked an address."""

    name = "salesfinity"
    url = VENDOR_URL
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    at_once = DEFAULT_CONCURRENCY
    poll_after = 5.0

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        body = EnrichmentRequest(linkedin_url=profile, type=kind)
        return await self._find(
            "POST",
            ENRICHMENTS,
            lambda answer: self._read(answer, kind),
            json=body.model_dump(mode="json", exclude_none=True),
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        return await self._collect(ENRICHMENTS, ticket, lambda answer: self._read(answer, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(CREDITS, lambda a: float(parse(Credits, a.body).balance))

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome | InProgress:
        found = parse(EnrichmentBody, answer.body)
        if not found.status.is_final:
            return self._working(found.id)
        if found.status is Status.FAILED:
            return Lost(why=LostReason.FAILED)
        if found.status is Status.NOT_FOUND:
            return Miss()
        if found.email is None:
            raise UnreadableResponse
        if found.email.type not in (kind, None):
            return Miss(cost=self.prices[kind])
        said = found.email.type
        return address_outcome(found.email.email, None, {}, price=self.prices[kind], kind=said)
