"""ContactOut's contact information of a LinkedIn profile.

A key without access is not refused: the response is a sample, "Example Person" at example.com. An
absent object is an empty list. The limit is 1,000 a minute. Not documented: how it reports that the
credits are used up (a 403, as any refusal, is read as a key without access), and whether a repeated
request is charged.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import Misconfigured, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    VendorModel,
    VendorResponse,
    at,
    require_fields,
    statuses,
)

Nothing = Annotated[list[object], Field(max_length=0)]
"""An empty object, as PHP encodes it."""


class _NotFound(VendorModel):
    status_code: Literal[404]


class _Found(VendorModel):
    status_code: Literal[200]
    message: str | None = None
    profile: dict[str, object] | Nothing


class _Profile(VendorModel):
    url: str | None = None
    full_name: Annotated[str | None, at("fullName")] = None

    @property
    def is_sample(self) -> bool:
        slug = (self.url or "").rstrip("/").rpartition("/")[2]
        return self.full_name == "Example Person" or slug == "example-person"


class _Work(VendorModel):
    emails: Annotated[list[str] | None, at("work_email")] = None
    statuses: Annotated[dict[str, str | None] | Nothing | None, at("work_email_status")] = None

    @property
    def status_of(self) -> dict[str, str | None]:
        return self.statuses if isinstance(self.statuses, dict) else {}


class _Personal(VendorModel):
    emails: Annotated[list[str] | None, at("personal_email")] = None
    status_of: ClassVar[dict[str, str | None]] = {}


class ContactOut(HTTPVendor):
    """Of several emails, a verified one is returned, else the first."""

    name = "contactout"
    url = "https://api.contactout.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    limit = SourceLimit(per_second=16.0)  # of 1,000 a minute
    headers: ClassVar = {"token": "{key}", "authorization": "basic"}
    status_map: ClassVar = statuses(verified="verified", unverified="unverified")
    request: ClassVar = LookupRequest(
        "GET",
        "/people/linkedin",
        params=lambda profile, email_type: {"profile": profile, "email_type": email_type.value},
    )
    readable_statuses = frozenset({404})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.status in self.readable_statuses:
            response.parse(_NotFound)
            return Miss()
        found = response.parse(_Found)
        if not isinstance(found.profile, dict):
            return Miss()
        is_sample = "sample" in (found.message or "").lower()
        if is_sample or response.parse(_Profile, found.profile).is_sample:
            return Misconfigured()
        fields: type[_Work | _Personal] = _Work if email_type is EmailType.WORK else _Personal
        record = response.parse(fields, found.profile)
        if record.emails is None:
            require_fields(found.profile, "url", "fullName")
        status_of = record.status_of
        best = min(
            record.emails or (), key=lambda email: self.rank(status_of.get(email)), default=None
        )
        return self.address(best, status_of.get(best or ""), email_type)
