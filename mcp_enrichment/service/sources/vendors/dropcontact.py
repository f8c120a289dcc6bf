"""Dropcontact's enrichment: a batch of one person, polled until it is ready.

A batch that is not ready, an unknown batch and a failure of its own look the same: they are polled
again. 403 means that the credits do not suffice.
"""

from __future__ import annotations

from typing import ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import OUT_OF_CREDIT, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    One,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    mentions_address,
    statuses,
)

OTHER_PREFIXES = ("generic@", "invalid@", "random@")
OTHER_SUFFIXES = ("@perso", "@invalid")
"""Qualifications of addresses that are not this person's work address."""


class _Envelope(VendorModel):
    success: bool


class _Email(VendorModel):
    email: str
    qualification: str | None = None

    @property
    def is_work(self) -> bool:
        word = self.qualification or ""
        return not (word.startswith(OTHER_PREFIXES) or word.endswith(OTHER_SUFFIXES))


class _Contact(VendorModel):
    email: list[_Email] | None = None


class _Ready(VendorModel):
    data: One[dict[str, object]]


class Dropcontact(HTTPVendor):
    """Its emails are verified, except at a catch-all domain."""

    name = "dropcontact"
    url = "https://api.dropcontact.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0}
    limit = SourceLimit(per_second=60.0)
    headers: ClassVar = {"x-access-token": "{key}"}
    status_map: ClassVar = statuses(
        verified="nominative@pro", catch_all="catch_all@pro non_confirm@pro"
    )
    request: ClassVar = LookupRequest(
        "POST", "/enrich/all", json=lambda profile, _: {"data": [{"linkedin": profile}]}
    )
    job_id_key = "request_id"
    poll_after = 30.0
    balance_path = "/account/credits"
    balance_keys = ("credits",)
    status_outcomes: ClassVar = {403: OUT_OF_CREDIT}

    def read_job_id(self, response: VendorResponse) -> str:
        if not response.parse(_Envelope).success:
            raise UnreadableResponse
        return super().read_job_id(response)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if not response.parse(_Envelope).success:
            return None
        person = response.parse(_Ready).data[0]
        emails = response.parse(_Contact, person).email or []
        if not emails and mentions_address(person):
            raise UnreadableResponse  # an address in another place
        work = [email for email in emails if email.is_work]
        if not work:
            return Miss()
        best = min(work, key=lambda email: self.rank(email.qualification))
        stated = email_type if (best.qualification or "").endswith("@pro") else None
        return self.address(best.email, best.qualification, email_type, stated=stated)
