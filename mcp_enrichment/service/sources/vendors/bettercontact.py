"""BetterContact's waterfall: a batch of one person, asked for again until it is terminated.

Where the credits end in between, the batch is on hold. An address that takes all mail and that it
calls not safe is no hit, nor is one of somebody who opted out (`enriched` is false). Its limit is
100 a minute on the smallest plan, questions for an outcome among them. Its front end has refused
programs with a 403, whatever their key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    UnreadableResponse,
    VendorJobId,
    VendorModel,
    address_outcome,
    parse,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
    "deliverable": Verification.VERIFIED,
    "valid": Verification.VERIFIED,
    "catch_all": Verification.CATCH_ALL,
    "catch_all_safe": Verification.CATCH_ALL,
    "catch_all_not_safe": None,
    "undeliverable": None,
    "not_found": None,
}
RUNNING = frozenset({"not_started", "not started", "in progress", "in_progress", "processing"})
ON_HOLD = frozenset({"on_hold", "on hold"})
ENDED = frozenset({"failed", "error", "canceled", "cancelled"})
BATCHES = "/async"


class _Begun(VendorModel):
    id: VendorJobId


class _Status(VendorModel):
    status: str


class _Contact(VendorModel):
    enriched: bool = True
    contact_email_address: str | None
    contact_email_address_status: str | None = None


class _Terminated(VendorModel):
    credits_consumed: Credits | None = None
    data: Annotated[list[_Contact], Field(min_length=1, max_length=1)]


class _Account(VendorModel):
    credits_left: Credits


class BetterContact(HTTPVendor):
    """An address that takes all mail is not verified, however safe it calls it."""

    name = "bettercontact"
    url = "https://app.bettercontact.rocks/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 1.0
    poll_after = 15.0
    says: ClassVar = {406: Lost(why=LostReason.REFUSED)}  # an id that it does not know

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:  # noqa: ARG002
        body = {
            "data": [{"linkedin_url": profile}],
            "enrich_email_address": True,
            "enrich_phone_number": False,
        }
        return await self._find(
            "POST", BATCHES, lambda a: self._working(parse(_Begun, a.body).id), json=body
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        return await self._collect(BATCHES, ticket, lambda a: self._read(a, ticket, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/account", lambda a: parse(_Account, a.body).credits_left)

    def _read(self, answer: VendorResponse, ticket: str, kind: EmailType) -> Outcome | InProgress:
        if answer.status == 202:  # noqa: PLR2004
            return self._working(ticket)
        status = parse(_Status, answer.body).status.lower()
        if status in RUNNING:
            return self._working(ticket)
        if status in ON_HOLD:
            return OUT_OF_CREDIT
        if status in ENDED:
            return Lost(why=LostReason.FAILED)
        if status != "terminated":
            raise UnreadableResponse
        batch = parse(_Terminated, answer.body)
        return self._terminated(batch.data[0], batch.credits_consumed, self.prices[kind])

    def _terminated(self, contact: _Contact, charged: float | None, price: float) -> Outcome:
        if contact.contact_email_address and not contact.enriched:
            return Miss(cost=charged)
        return address_outcome(
            contact.contact_email_address,
            contact.contact_email_address_status,
            STATUS_MAP,
            price=price,
            charged=charged,
        )
