"""BetterContact's waterfall: a batch of one person, asked for again until it is terminated.

Its balance is told only to a key in the URL, so it is not asked for. Where the credits end in
between, the batch is on hold. Its front end has refused programs with a 403, whatever their key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    Ticket,
    Unreadable,
    outcome_for,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "deliverable": Verification.VERIFIED,
    "valid": Verification.VERIFIED,
    "catch_all": Verification.CATCH_ALL,
    "catch_all_safe": Verification.CATCH_ALL,
    "catch_all_not_safe": Verification.CATCH_ALL,
    "undeliverable": None,
    "not_found": None,
}
RUNNING = frozenset({"not_started", "not started", "in progress", "in_progress", "processing"})
ON_HOLD = frozenset({"on_hold", "on hold"})
ENDED = frozenset({"failed", "error", "canceled", "cancelled"})
BATCHES = "/async"


class _Begun(Shape):
    id: Ticket


class _Status(Shape):
    status: str


class _Contact(Shape):
    contact_email_address: str | None
    contact_email_address_status: str | None


class _Terminated(Shape):
    credits_consumed: Credits
    data: Annotated[list[_Contact], Field(min_length=1, max_length=1)]


class BetterContact(PaidVendor):
    """Whatever its domain, an address that takes all mail is not verified, safe or not."""

    name = "bettercontact"
    url = "https://app.bettercontact.rocks/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 1.0
    ask_after = 15.0
    says: ClassVar = {406: Lost(why=LostWhy.REFUSED)}  # an id that it does not know

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:  # noqa: ARG002
        body = {
            "data": [{"linkedin_url": profile}],
            "enrich_email_address": True,
            "enrich_phone_number": False,
        }
        return await self._find(
            "POST", BATCHES, lambda a: self._working(read(_Begun, a.body).id), json=body
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        return await self._collect(BATCHES, ticket, lambda a: self._read(a, ticket, kind))

    def _read(self, answer: Answer, ticket: str, kind: EmailType) -> Outcome | Working:
        if answer.status == 202:  # noqa: PLR2004
            return self._working(ticket)
        status = read(_Status, answer.body).status.lower()
        if status in RUNNING:
            return self._working(ticket)
        if status in ON_HOLD:
            return OUT_OF_CREDIT
        if status in ENDED:
            return Lost(why=LostWhy.FAILED)
        if status != "terminated":
            raise Unreadable
        batch = read(_Terminated, answer.body)
        contact, price = batch.data[0], self.prices[kind]
        return outcome_for(
            contact.contact_email_address,
            contact.contact_email_address_status,
            WORDS,
            price=price,
            charged=batch.credits_consumed,
        )
