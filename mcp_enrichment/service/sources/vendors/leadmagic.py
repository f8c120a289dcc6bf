"""LeadMagic: work and personal addresses of a profile, at two paths.

A miss is a success that consumed nothing or says `not_found`, or a 404 that mentions the profile.
The address has one of several names, as its pages and its OpenAPI document differ. Not documented:
the words of that 404 (without them it is not read as a miss), and whether a repeated request is
charged. The limit is 300 a minute at each path.
"""

from __future__ import annotations

import re
from typing import ClassVar

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import REFUSED, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    Credits,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    normalize_word,
    statuses,
)

PATHS = {
    EmailType.WORK: "/people/b2b-profile-email",
    EmailType.PERSONAL: "/people/personal-email-finder",
}
_PROFILE = re.compile(r"(?<![\w/-])profile(?![\w/-])", re.IGNORECASE)
"""The word, but not in a path: an unknown path is not a miss."""


class _Problem(VendorModel):
    detail: str | None = None


class _Found(VendorModel):
    status: str | None = None
    credits_consumed: Credits | None = None

    @property
    def is_miss(self) -> bool:
        """By its status or, if it has none, by the credits consumed."""
        return normalize_word(self.status) == "not_found" or (
            not self.status and self.credits_consumed == 0
        )


class _Work(_Found):
    email: str | None = None
    work_email: str | None = None

    @property
    def address(self) -> str | None:
        return self.email or self.work_email


class _Personal(_Found):
    personal_email: str | None = None
    first_personal_email: str | None = None
    personal_emails: list[str] | None = None

    @property
    def address(self) -> str | None:
        first = next(iter(self.personal_emails or ()), None)
        return self.personal_email or self.first_personal_email or first


class LeadMagic(HTTPVendor):
    """Few of its responses say how an email was verified."""

    name = "leadmagic"
    url = "https://api.leadmagic.io/v1"
    prices: ClassVar = {EmailType.WORK: 5.0, EmailType.PERSONAL: 2.0}
    limit = SourceLimit(per_second=5.0)
    status_map: ClassVar = statuses(
        verified="valid", catch_all="valid_catch_all catch_all", unverified="found unknown"
    )
    request: ClassVar = LookupRequest(
        "POST", PATHS, json=lambda profile, _: {"profile_url": profile}
    )
    balance_path = "/credits"
    balance_keys = ("credits",)
    readable_statuses = frozenset({404})

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.status in self.readable_statuses:
            detail = response.parse(_Problem).detail or ""
            return Miss() if _PROFILE.search(detail) else REFUSED
        fields: type[_Work | _Personal] = _Work if email_type is EmailType.WORK else _Personal
        found = response.parse(fields)
        if not found.address and not found.is_miss:
            raise UnreadableResponse
        return self.address(found.address, found.status, email_type, charged=found.credits_consumed)
