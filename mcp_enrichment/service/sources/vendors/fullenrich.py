"""FullEnrich, version 2: a bulk of one person, polled until it is finished.

A running bulk answers 400. A bulk whose credits run out ends with a status of its own. Not
documented: whether a cancelled bulk costs anything.
"""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import FAILED, OUT_OF_CREDIT, REFUSED, Failure
from mcp_enrichment.service.sources.vendors.base import (
    BEARER,
    HTTPVendor,
    LookupRequest,
    ReadResult,
)
from mcp_enrichment.service.sources.vendors.responses import (
    Credits,
    One,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    mentions_address,
    statuses,
)

FIELDS = {EmailType.WORK: "contact.work_emails", EmailType.PERSONAL: "contact.personal_emails"}
JOB_STATES: dict[str, Failure | None] = {
    **dict.fromkeys(("CREATED", "IN_PROGRESS", "RATE_LIMIT")),
    "CREDITS_INSUFFICIENT": OUT_OF_CREDIT,
    **dict.fromkeys(("CANCELED", "UNKNOWN"), FAILED),
}
"""The states of a bulk without a result. None: it is running."""
ECHOED = frozenset({"input", "custom"})
"""Fields of a record that repeat the request."""


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

    def candidates(self, email_type: EmailType) -> list[_Email]:
        """All emails, the most probable one first. The status that the list gives for that one does
        not count."""
        is_work = email_type is EmailType.WORK
        probable = self.most_probable_work_email if is_work else self.most_probable_personal_email
        listed = self.work_emails if is_work else self.personal_emails
        more = [one for one in listed or () if not (probable and one.email == probable.email)]
        return [probable, *more] if probable else more


class _Contact(VendorModel):
    contact_info: _Info | None = None


class _Cost(VendorModel):
    credits: Credits | None = None


class _Finished(VendorModel):
    cost: _Cost | None = None
    data: One[dict[str, object]]


class FullEnrich(HTTPVendor):
    """Its schema requires no field of a contact: a missing field is a miss, unless `cost` says that
    something was found."""

    name = "fullenrich"
    url = "https://app.fullenrich.com/api/v2"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 3.0}
    limit = SourceLimit(at_once=100, per_second=1.0)
    headers = BEARER
    status_map: ClassVar = statuses(verified="deliverable", catch_all="high_probability catch_all")
    request: ClassVar = LookupRequest(
        "POST",
        "/contact/enrich/bulk",
        json=lambda profile, email_type: {
            "name": PROGRAM,
            "data": [{"linkedin_url": profile, "enrich_fields": [FIELDS[email_type]]}],
        },
    )
    job_id_key = "enrichment_id"
    poll_after = 45.0
    balance_path = "/account/credits"
    balance_keys = ("balance",)
    readable_statuses = frozenset({400})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.status in self.readable_statuses:
            error = response.parse(_Error)
            is_running = "error.enrichment.in_progress" in (error.code, error.error)
            return None if is_running else REFUSED
        status = response.parse(_Status).status
        if status in JOB_STATES:
            return JOB_STATES[status]
        if status != "FINISHED":
            raise UnreadableResponse
        bulk = response.parse(_Finished)
        info = response.parse(_Contact, bulk.data[0]).contact_info or _Info()
        best = min(info.candidates(email_type), key=self._rank, default=_Email())
        charged = (bulk.cost or _Cost()).credits
        found = {name: value for name, value in bulk.data[0].items() if name not in ECHOED}
        if not best.email and charged is None and mentions_address(found):
            raise UnreadableResponse  # an address in another place
        return self.address(best.email, best.status, email_type, charged=charged)

    def _rank(self, email: _Email) -> tuple[bool, int]:
        return not email.email, self.rank(email.status)
