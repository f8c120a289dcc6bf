"""FullEnrich, version 2: a bulk of one person, asked for again until it is finished.

What still runs answers 400. Where the credits end in between, the bulk ends with a status of its
own. Not documented: whether a bulk that is cancelled costs anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Lost, LostWhy
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    Ticket,
    Unreadable,
    mentions_address,
    outcome_for,
    rank_of,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Unavailable, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "deliverable": Verification.VERIFIED,
    "high_probability": Verification.CATCH_ALL,
    "catch_all": Verification.CATCH_ALL,
    "invalid": None,
    "invalid_domain": None,
}
FIELDS = {EmailType.WORK: "contact.work_emails", EmailType.PERSONAL: "contact.personal_emails"}
RUNNING = frozenset({"CREATED", "IN_PROGRESS", "RATE_LIMIT"})
ENDED = frozenset({"CANCELED", "UNKNOWN"})
BULKS = "/contact/enrich/bulk"
ECHOED = frozenset({"input", "custom"})
"""What a record repeats of the question."""


class _Begun(Shape):
    enrichment_id: Ticket


class _Error(Shape):
    code: Any = None
    error: Any = None


class _Status(Shape):
    status: str


class _Email(Shape):
    email: str | None = None
    status: str | None = None


class _Info(Shape):
    most_probable_work_email: _Email | None = None
    most_probable_personal_email: _Email | None = None
    work_emails: list[_Email] | None = None
    personal_emails: list[_Email] | None = None

    def of(self, kind: EmailType) -> _Email:
        """The best of them; of two that are as good, the most probable one. What is said of that
        one elsewhere does not count."""
        is_work = kind is EmailType.WORK
        best = self.most_probable_work_email if is_work else self.most_probable_personal_email
        others = self.work_emails if is_work else self.personal_emails
        more = [email for email in others or () if not (best and email.email == best.email)]
        return min([best, *more] if best else more, key=_rank, default=_Email())


def _rank(told: _Email) -> tuple[bool, int]:
    return not told.email, rank_of(told.status, WORDS)


class _Contact(Shape):
    contact_info: _Info | None = None


class _Cost(Shape):
    credits: Credits | None = None


class _Finished(Shape):
    cost: _Cost | None = None
    data: Annotated[list[dict[str, object]], Field(min_length=1, max_length=1)]


class _Balance(Shape):
    balance: Credits


class FullEnrich(PaidVendor):
    """Its schema requires no field of a contact: what is not there was not found, unless its
    `cost` says that something was."""

    name = "fullenrich"
    url = "https://app.fullenrich.com/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 3.0}
    at_once = 100
    per_second = 1.0
    ask_after = 45.0
    key_header = "authorization"
    key_form = "Bearer {}"
    reads = frozenset({400})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        person = {"linkedin_url": profile, "enrich_fields": [FIELDS[kind]]}
        return await self._find(
            "POST", BULKS, self._begun, json={"name": PROGRAM, "data": [person]}
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        return await self._collect(BULKS, ticket, lambda answer: self._read(answer, ticket, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/account/credits", lambda answer: read(_Balance, answer.body).balance
        )

    def _begun(self, answer: Answer) -> Outcome | Working:
        if answer.status in self.reads:
            return Lost(why=LostWhy.REFUSED)
        return self._working(read(_Begun, answer.body).enrichment_id)

    def _read(self, answer: Answer, ticket: str, kind: EmailType) -> Outcome | Working:
        if answer.status in self.reads:
            said = read(_Error, answer.body)
            is_running = "error.enrichment.in_progress" in (said.code, said.error)
            return self._working(ticket) if is_running else Lost(why=LostWhy.REFUSED)
        status = read(_Status, answer.body).status
        if status in RUNNING:
            return self._working(ticket)
        if status == "CREDITS_INSUFFICIENT":
            return OUT_OF_CREDIT
        if status in ENDED:
            return Lost(why=LostWhy.FAILED)
        if status != "FINISHED":
            raise Unreadable
        return self._finished(read(_Finished, answer.body), kind)

    def _finished(self, bulk: _Finished, kind: EmailType) -> Outcome:
        info = read(_Contact, bulk.data[0]).contact_info
        email, charged = (info or _Info()).of(kind), (bulk.cost or _Cost()).credits
        found = {name: said for name, said in bulk.data[0].items() if name not in ECHOED}
        if not email.email and charged is None and mentions_address(found):
            raise Unreadable  # there is an address, but not where it should be
        price = self.prices[kind]
        return outcome_for(email.email, email.status, WORDS, price=price, charged=charged)
