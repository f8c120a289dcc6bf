"""ContactOut's contact information of a LinkedIn profile.

A key without rights is not refused: it is answered with a sample, "Example Person" at example.com.
What it has none of is an empty list, also where it is an object else. Its limit is 1,000 a minute.
Not documented: how it says that the credits are used up (a 403, as any refusal, is taken for a key
that may not ask), and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Misconfigured, Miss
from mcp_enrichment.service.sources.vendors.base import HTTPVendor
from mcp_enrichment.service.sources.vendors.parsing import (
    VendorModel,
    address_outcome,
    parse,
    require_fields,
    verification_rank,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Outcome
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {"verified": Verification.VERIFIED, "unverified": Verification.UNVERIFIED}


Nothing = Annotated[list[object], Field(max_length=0)]
"""How PHP writes an object that is empty."""


class _Refused(VendorModel):
    status_code: Literal[404]


class _Any(VendorModel):
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
    def words(self) -> dict[str, str | None]:
        return self.status if isinstance(self.status, dict) else {}


class _Personal(VendorModel):
    emails: Annotated[list[str] | None, Field(alias="personal_email")] = None
    words: ClassVar[dict[str, str | None]] = {}


class ContactOut(HTTPVendor):
    """Of several addresses a verified one is told, or else the first."""

    name = "contactout"
    url = "https://api.contactout.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    per_second = 16.0  # of 1,000 a minute
    key_header = "token"
    headers: ClassVar = {"authorization": "basic"}
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        return await self._find(
            "GET",
            "/people/linkedin",
            lambda answer: self._read(answer, kind),
            params={"profile": profile, "email_type": kind.value},
        )

    def _read(self, answer: VendorResponse, kind: EmailType) -> Outcome:
        if answer.status in self.reads:
            parse(_Refused, answer.body)
            return Miss()
        found = parse(_Any, answer.body)
        if not isinstance(found.profile, dict):
            return Miss()
        if _is_sample(parse(_Profile, found.profile), found.message or ""):
            return Misconfigured()
        is_work = kind is EmailType.WORK
        told = parse(_Work, found.profile) if is_work else parse(_Personal, found.profile)
        if told.emails is None:
            require_fields(found.profile, "url", "fullName")
        best = min(
            told.emails or (),
            key=lambda e: verification_rank(told.words.get(e), STATUS_MAP),
            default=None,
        )
        return address_outcome(
            best, told.words.get(best or ""), STATUS_MAP, price=self.prices[kind]
        )


def _is_sample(profile: _Profile, message: str) -> bool:
    slug = (profile.url or "").rstrip("/").rpartition("/")[2]
    return (
        profile.full_name == "Example Person"
        or slug == "example-person"
        or "sample" in message.lower()
    )
