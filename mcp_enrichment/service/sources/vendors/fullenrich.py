"""FullEnrich, version 2: a bulk of one person, asked for again until it is finished.

What still runs answers 400. Where the credits end in between, the bulk ends with a status of its
own. Not documented: whether a bulk that is cancelled costs anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    UnreadableResponse,
    VendorJobId,
    VendorModel,
    address_outcome,
    mentions_address,
    parse,
    verification_rank,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
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


class _Begun(VendorModel):
    enrichment_id: VendorJobId


class _Error(VendorModel):
    code: Any = None
    error: Any = None


class _Status(VendorModel):
    status: str


class _Email(VendorModel):
    email: str | None = None
    status: str | None = None


class _Info(VendorModel):
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
    return not told.email, verification_rank(told.status, STATUS_MAP)


class _Contact(VendorModel):
    contact_info: _Info | None = None


class _Cost(VendorModel):
    credits: Credits | None = None


class _Finished(VendorModel):
    cost: _Cost | None = None
    data: Annotated[list[dict[str, object]], Field(min_length=1, max_length=1)]


class _Balance(VendorModel):
    balance: Credits


class FullEnrich(HTTPVendor):
    """Its schema requires no field of a contact: what is not there was not found, unless its
    `cost` says that something was."""

    name = "fullenrich"
    url = "https://app.fullenrich.com/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 3.0}
    at_once = 100
    per_second = 1.0
    poll_after = 45.0
    key_header = "authorization"
    key_form = "Bearer {}"
    reads = frozenset({400})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        person = {"linkedin_url": profile, "enrich_fields": [FIELDS[kind]]}
        return await self._find(
            "POST", BULKS, self._begun, json={"name": PROGRAM, "data": [person]}
        )

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        return await self._collect(BULKS, ticket, lambda answer: self._read(answer, ticket, kind))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance(
            "/account/credits", lambda answer: parse(_Balance, answer.body).balance
        )

    def _begun(self, answer: VendorResponse) -> Outcome | InProgress:
        if answer.status in self.reads:
            return Lost(why=LostReason.REFUSED)
        return self._working(parse(_Begun, answer.body).enrichment_id)

    def _read(self, answer: VendorResponse, ticket: str, kind: EmailType) -> Outcome | InProgress:
        if answer.status in self.reads:
            said = parse(_Error, answer.body)
            is_running = "error.enrichment.in_progress" in (said.code, said.error)
            return self._working(ticket) if is_running else Lost(why=LostReason.REFUSED)
        status = parse(_Status, answer.body).status
        if status in RUNNING:
            return self._working(ticket)
        if status == "CREDITS_INSUFFICIENT":
            return OUT_OF_CREDIT
        if status in ENDED:
            return Lost(why=LostReason.FAILED)
        if status != "FINISHED":
            raise UnreadableResponse
        return self._finished(parse(_Finished, answer.body), kind)

    def _finished(self, bulk: _Finished, kind: EmailType) -> Outcome:
        info = parse(_Contact, bulk.data[0]).contact_info
        email, charged = (info or _Info()).of(kind), (bulk.cost or _Cost()).credits
        found = {name: said for name, said in bulk.data[0].items() if name not in ECHOED}
        if not email.email and charged is None and mentions_address(found):
            raise UnreadableResponse  # there is an address, but not where it should be
        price = self.prices[kind]
        return address_outcome(email.email, email.status, STATUS_MAP, price=price, charged=charged)
