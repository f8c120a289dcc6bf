"""Hunter's email finder, asked by the name in the profile's URL.

Its refusals are not the usual ones: 403 is too many questions, 429 is a used-up quota, 451 a person
who does not want to be found, and 202 asks to put the same question again. An address without its
`sources` may be a guess, and counts as unverified; one at a webmail provider is no work address.
Its limit is 15 a second and 500 a minute. Not documented: whether a miss is a 404 or an `email` of
null (both are read), and whether the question that is put again is charged where its answer is lost
(it is taken to be).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Miss, Unavailable
from mcp_enrichment.service.sources.vendors.base import HTTPVendor, profile_slug
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    Credits,
    VendorModel,
    address_outcome,
    parse,
    verification_for,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome
    from mcp_enrichment.service.sources.vendors.transport import VendorResponse

STATUS_MAP = {
    "valid": Verification.VERIFIED,
    "accept_all": Verification.CATCH_ALL,
    "generated": Verification.INFERRED,
    "unknown": Verification.UNVERIFIED,
    "webmail": None,
    "disposable": None,
    "invalid": None,
}


class _Verified(VendorModel):
    status: str | None = None
    date: str | None = None


class _Source(VendorModel):
    type: str | None = None


class _Person(VendorModel):
    email: str | None
    verification: _Verified | None = None
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


class _Requests(VendorModel):
    searches: _Counter
    credits: _Counter | None = None


class _Plan(VendorModel):
    requests: _Requests


class _Account(VendorModel):
    data: _Plan


class Hunter(HTTPVendor):
    """An address whose source is `generated` is a guess, however it was checked."""

    name = "hunter"
    url = "https://api.hunter.io/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 8.0  # of 15 a second and 500 a minute
    poll_after = 5.0
    says: ClassVar = {403: Unavailable(), 429: OUT_OF_CREDIT}
    reads = frozenset({404, 451})

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        return await self.collect(profile_slug(profile), kind)

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        """The ticket is the name in the profile's URL: the question itself."""
        return await self._find(
            "GET",
            "/email-finder",
            lambda answer: self._read(answer, ticket, kind),
            params={"linkedin_handle": ticket},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/account", _left)

    def _read(self, answer: VendorResponse, ticket: str, kind: EmailType) -> Outcome | InProgress:
        if answer.status == 202:  # noqa: PLR2004
            return self._working(ticket)
        if answer.status in self.reads:
            parse(_Errors, answer.body)
            return Miss()
        person = parse(_Found, answer.body).data
        verified = person.verification or _Verified()
        return address_outcome(
            person.email,
            _word(person, verified.status),
            STATUS_MAP,
            price=self.prices[kind],
            checked_at=_day(verified.date),
        )


def _word(person: _Person, status: str | None) -> str | None:
    """Its word for the address, which is never better than its sources are."""
    if not person.email or verification_for(status, STATUS_MAP) is None:
        return status
    if person.sources is None:
        return "unknown"
    is_guess = any(source.type == "generated" for source in person.sources)
    return "generated" if is_guess else status


def _left(answer: VendorResponse) -> float:
    requests = parse(_Account, answer.body).data.requests
    counter = requests.credits or requests.searches
    return max(counter.available - counter.used, 0.0)


def _day(date: str | None) -> float | None:
    try:
        return datetime.strptime(date or "", "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
