"""Hunter's email finder, requested by the name in the profile's URL.

Its refusals differ from the usual ones: 403 means too many requests, 429 a used-up quota, 451 a
person who does not want to be found, and 202 asks for the same request again. An address without
its `sources` may be a guess, and counts as unverified; one at a webmail provider is not a work
address. The limit is 15 a second and 500 a minute. Not documented: whether a miss is a 404 or an
`email` of null (both are read), and whether a repeated request is charged after a lost response (it
is assumed to be).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar
from urllib.parse import unquote

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import (
    OUT_OF_CREDIT,
    InProgress,
    Miss,
    Outcome,
    Unavailable,
)
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, LookupRequest, ReadResult
from mcp_enrichment.service.sources.vendors.responses import (
    Credits,
    VendorModel,
    VendorResponse,
    at,
    statuses,
)


class _Verification(VendorModel):
    status: str | None = None
    date: str | None = None


class _Source(VendorModel):
    type: str | None = None


class _Found(VendorModel):
    email: Annotated[str | None, at("data", "email")]
    verification: Annotated[_Verification | None, at("data", "verification")] = None
    sources: Annotated[list[_Source] | None, at("data", "sources")] = None


class _Errors(VendorModel):
    id: Annotated[str, at("errors", 0, "id")]


class _Counter(VendorModel):
    used: Credits
    available: Credits


class _Account(VendorModel):
    searches: Annotated[_Counter, at("data", "requests", "searches")]
    credits: Annotated[_Counter | None, at("data", "requests", "credits")] = None


class Hunter(HTTPVendor):
    """An email whose source is `generated` is a guess, whatever its verification says."""

    name = "hunter"
    url = "https://api.hunter.io/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    limit = SourceLimit(per_second=8.0)  # of 15 a second and 500 a minute
    poll_after = 5.0
    status_map: ClassVar = statuses(
        "webmail",
        verified="valid",
        catch_all="accept_all",
        inferred="generated",
        unverified="unknown",
    )
    request: ClassVar = LookupRequest(
        "GET", "/email-finder", params=lambda slug, _: {"linkedin_handle": slug}
    )
    balance_path = "/account"
    status_outcomes: ClassVar = {403: Unavailable(), 429: OUT_OF_CREDIT}
    readable_statuses = frozenset({404, 451})

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        return await self.collect(unquote(profile.rpartition("/")[2]), email_type)

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        """A poll repeats the request, so the job id is the name in the profile's URL."""
        return await self._look_up(job_id, email_type, job_id)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.is_accepted:
            return None
        if response.status in self.readable_statuses:
            response.parse(_Errors)
            return Miss()
        found = response.parse(_Found)
        verification = found.verification or _Verification()
        status = verification.status
        if found.email and self.verification(status) is not None:
            if found.sources is None:
                status = "unknown"
            elif any(source.type == "generated" for source in found.sources):
                status = "generated"
        return self.address(
            found.email, status, email_type, checked_at=_timestamp(verification.date)
        )

    def read_balance(self, response: VendorResponse) -> float:
        account = response.parse(_Account)
        counter = account.credits or account.searches
        return max(counter.available - counter.used, 0.0)


def _timestamp(date: str | None) -> float | None:
    try:
        return datetime.strptime(date or "", "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
