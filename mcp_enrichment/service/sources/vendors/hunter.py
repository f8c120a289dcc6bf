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
from mcp_enrichment.service.sources.port import Miss, Unavailable
from mcp_enrichment.service.sources.vendors.paid import PaidVendor, slug_of
from mcp_enrichment.service.sources.vendors.reading import (
    OUT_OF_CREDIT,
    Credits,
    Shape,
    meaning_of,
    outcome_for,
    read,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Misconfigured, Outcome, Working
    from mcp_enrichment.service.sources.vendors.asking import Answer

WORDS = {
    "valid": Verification.VERIFIED,
    "accept_all": Verification.CATCH_ALL,
    "generated": Verification.INFERRED,
    "unknown": Verification.UNVERIFIED,
    "webmail": None,
    "disposable": None,
    "invalid": None,
}


class _Verified(Shape):
    status: str | None = None
    date: str | None = None


class _Source(Shape):
    type: str | None = None


class _Person(Shape):
    email: str | None
    verification: _Verified | None = None
    sources: list[_Source] | None = None


class _Found(Shape):
    data: _Person


class _Error(Shape):
    id: str


class _Errors(Shape):
    errors: Annotated[list[_Error], Field(min_length=1)]


class _Counter(Shape):
    used: Credits
    available: Credits


class _Requests(Shape):
    searches: _Counter
    credits: _Counter | None = None


class _Plan(Shape):
    requests: _Requests


class _Account(Shape):
    data: _Plan


class Hunter(PaidVendor):
    """An address whose source is `generated` is a guess, however it was checked."""

    name = "hunter"
    url = "https://api.hunter.io/v2"
    prices: ClassVar = {EmailType.WORK: 1.0}
    per_second = 8.0  # of 15 a second and 500 a minute
    ask_after = 5.0
    says: ClassVar = {403: Unavailable(), 429: OUT_OF_CREDIT}
    reads = frozenset({404, 451})

    async def find(self, profile: str, kind: EmailType) -> Outcome | Working:
        return await self.collect(slug_of(profile), kind)

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | Working:
        """The ticket is the name in the profile's URL: the question itself."""
        return await self._find(
            "GET",
            "/email-finder",
            lambda answer: self._read(answer, ticket, kind),
            params={"linkedin_handle": ticket},
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return await self._balance("/account", _left)

    def _read(self, answer: Answer, ticket: str, kind: EmailType) -> Outcome | Working:
        if answer.status == 202:  # noqa: PLR2004
            return self._working(ticket)
        if answer.status in self.reads:
            read(_Errors, answer.body)
            return Miss()
        person = read(_Found, answer.body).data
        verified = person.verification or _Verified()
        return outcome_for(
            person.email,
            _word(person, verified.status),
            WORDS,
            price=self.prices[kind],
            checked_at=_day(verified.date),
        )


def _word(person: _Person, status: str | None) -> str | None:
    """Its word for the address, which is never better than its sources are."""
    if not person.email or meaning_of(status, WORDS) is None:
        return status
    if person.sources is None:
        return "unknown"
    is_guess = any(source.type == "generated" for source in person.sources)
    return "generated" if is_guess else status


def _left(answer: Answer) -> float:
    requests = read(_Account, answer.body).data.requests
    counter = requests.credits or requests.searches
    return max(counter.available - counter.used, 0.0)


def _day(date: str | None) -> float | None:
    try:
        return datetime.strptime(date or "", "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
