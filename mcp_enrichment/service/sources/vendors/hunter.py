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

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import InProgress, Miss, Outcome, Unavailable
from mcp_enrichment.service.sources.vendors.base import (
    OUT_OF_CREDIT,
    Credits,
    HTTPVendor,
    LookupRequest,
    ReadResult,
    VendorModel,
    VendorResponse,
    profile_slug,
    verification_for,
)


class _Verification(VendorModel):
    status: str | None = None
    date: str | None = None


class _Source(VendorModel):
    type: str | None = None


class _Person(VendorModel):
    email: str | None
    verification: _Verification | None = None
    sources: list[_Source] | None = None


class _Found(VendorModel):
    data: _Person


class _Error(VendorModel):
    id: str


class _Errors(VendorModel):
    errors: Annotated[list[_Error], Field(min_length=1)]


class _Counter(VendorModel):
    used: Credits
    available: Credits

    @property
    def left(self) -> float:
        return max(self.available - self.used, 0.0)


class _Requests(VendorModel):
    searches: _Counter
    credits: _Counter | None = None


class _Plan(VendorModel):
    requests: _Requests


class _Account(VendorModel):
    data: _Plan

    @property
    def left(self) -> float:
        requests = self.data.requests
        return (requests.credits or requests.searches).left


class Hunter(HTTPVendor):
    """An email whose source is `generated` is a guess, whatever its verification says."""

    name = "hunter"
    url = "https://api.hunter.io/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 8.0  # of 15 a second and 500 a minute
    poll_after = 5.0
    status_map: ClassVar = {
        "valid": Verification.VERIFIED,
        "accept_all": Verification.CATCH_ALL,
        "generated": Verification.INFERRED,
        "unknown": Verification.UNVERIFIED,
        "webmail": None,
        "disposable": None,
        "invalid": None,
    }
    request: ClassVar = LookupRequest(
        "GET", "/email-finder", params=lambda slug, _: {"linkedin_handle": slug}
    )
    balance_path = "/account"
    status_outcomes: ClassVar = {403: Unavailable(), 429: OUT_OF_CREDIT}
    readable_statuses = frozenset({404, 451})

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        return await self.collect(profile_slug(profile), email_type)

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        """A poll repeats the request, so the job id is the name in the profile's URL."""
        return await self._look_up(job_id, email_type, job_id)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        if response.is_accepted:
            return None
        if response.status in self.readable_statuses:
            response.parse(_Errors)
            return Miss()
        person = response.parse(_Found).data
        verification = person.verification or _Verification()
        return self.address(
            person.email,
            self._status(person, verification.status),
            email_type,
            checked_at=_timestamp(verification.date),
        )

    def read_balance(self, response: VendorResponse) -> float:
        return response.parse(_Account).left

    def _status(self, person: _Person, status: str | None) -> str | None:
        """The status of the email, lowered if its sources are unknown or generated."""
        if not person.email or verification_for(status, self.status_map) is None:
            return status
        if person.sources is None:
            return "unknown"
        is_guess = any(source.type == "generated" for source in person.sources)
        return "generated" if is_guess else status


def _timestamp(date: str | None) -> float | None:
    try:
        return datetime.strptime(date or "", "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
