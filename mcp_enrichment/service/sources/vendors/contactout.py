"""ContactOut's contact information of a LinkedIn profile.

A key without access is not refused: the response is a sample, "Example Person" at example.com. An
absent object is an empty list. The limit is 1,000 a minute. Not documented: how it reports that the
credits are used up (a 403, as any refusal, is read as a key without access), and whether a repeated
request is charged.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Misconfigured, Miss
from mcp_enrichment.service.sources.vendors.base import (
    HTTPVendor,
    LookupRequest,
    ReadResult,
    VendorModel,
    VendorResponse,
    parse,
    require_fields,
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
    full_name: Annotated[str | None, Field(alias="fullName")] = None


class _Work(VendorModel):
    emails: Annotated[list[str] | None, Field(alias="work_email")] = None
    status: Annotated[dict[str, str | None] | Nothing | None, Field(alias="work_email_status")] = (
        None
    )

    @property
    def statuses(self) -> dict[str, str | None]:
        return self.status if isinstance(self.status, dict) else {}


class _Personal(VendorModel):
    emails: Annotated[list[str] | None, Field(alias="personal_email")] = None
    statuses: ClassVar[dict[str, str | None]] = {}


class ContactOut(HTTPVendor):
    """Of several emails, a verified one is returned, else the first."""

    name = "contactout"
    url = "https://api.contactout.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    per_second = 16.0  # of 1,000 a minute
    key_header = "token"
    headers: ClassVar = {"authorization": "basic"}
    status_map: ClassVar = {
        "verified": Verification.VERIFIED,
        "unverified": Verification.UNVERIFIED,
    }
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
        if _is_sample(parse(_Profile, found.profile), found.message or ""):
            return Misconfigured()
        is_work = email_type is EmailType.WORK
        record = parse(_Work, found.profile) if is_work else parse(_Personal, found.profile)
        if record.emails is None:
            require_fields(found.profile, "url", "fullName")
        statuses = record.statuses
        best = min(
            record.emails or (),
            key=lambda email: self.rank(statuses.get(email)),
            default=None,
        )
        return self.address(best, statuses.get(best or ""), email_type)


def _is_sample(profile: _Profile, message: str) -> bool:
    slug = (profile.url or "").rstrip("/").rpartition("/")[2]
    return (
        profile.full_name == "Example Person"
        or slug == "example-person"
        or "sample" in message.lower()
    )
