"""ContactOut's contact information of a LinkedIn profile.

A key without rights is not refused: it is answered with a sample, "Example Person" at example.com.
Not documented: how it says that the credits are used up (a 403, as any refusal, is taken for a key
that may not ask), and whether a repeat is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.port import Misconfigured, Miss
from mcp_enrichment.service.sources.vendors.paid import PaidVendor
from mcp_enrichment.service.sources.vendors.reading import Shape, outcome_for, read

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {"verified": Verification.VERIFIED}


class _Refused(Shape):
    status_code: Literal[404]


class _Any(Shape):
    status_code: Literal[200]
    message: str | None = None
    profile: dict[str, object] | Annotated[list[object], Field(max_length=0)]


class _Profile(Shape):
    url: str | None = None
    full_name: Annotated[str | None, Field(alias="fullName")] = None


class _Work(Shape):
    emails: Annotated[list[str], Field(alias="work_email")]
    words: Annotated[dict[str, str | None] | None, Field(alias="work_email_status")] = None


class _Personal(Shape):
    emails: Annotated[list[str], Field(alias="personal_email")]


class ContactOut(PaidVendor):
    """Of several addresses a verified one is told, or else the first."""

    name = "contactout"
    url = "https://api.contactout.com/v1"
    prices: ClassVar = {EmailType.WORK: 1.0, EmailType.PERSONAL: 1.0}
    per_second = 20.0
    key_header = "token"
    headers: ClassVar = {"authorization": "basic"}
    reads = frozenset({404})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        return await self._find(
            "GET",
            "/people/linkedin",
            lambda answer: self._read(answer, kind),
            params={"profile": profile, "email_type": kind.value},
        )

    def _read(self, answer: Answer, kind: EmailType) -> Outcome:
        if answer.status in self.reads:
            read(_Refused, answer.body)
            return Miss()
        found = read(_Any, answer.body)
        if not isinstance(found.profile, dict):
            return Miss()
        if _is_sample(read(_Profile, found.profile), found.message or ""):
            return Misconfigured()
        words: dict[str, str | None] = {}
        if kind is EmailType.WORK:
            work = read(_Work, found.profile)
            emails, words = work.emails, work.words or {}
        else:
            emails = read(_Personal, found.profile).emails
        first = next(iter(emails), None)
        best = next((e for e in emails if (words.get(e) or "").lower() in WORDS), first)
        return outcome_for(best, words.get(best or ""), WORDS, price=self.prices[kind])


def _is_sample(profile: _Profile, message: str) -> bool:
    slug = (profile.url or "").rstrip("/").rpartition("/")[2]
    return (
        profile.full_name == "Example Person"
        or slug == "example-person"
        or "sample" in message.lower()
    )
