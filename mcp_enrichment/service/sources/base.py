"""The verb of a place where emails come from, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import Reason, Verification

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from mcp_enrichment.contract.models import EmailType


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """The source has an address of the kind that was asked for."""

    email: str
    kind: EmailType | None = None
    """Of which kind the source says that this very address is; None: it does not say."""
    verification: Verification = Verification.UNVERIFIED
    checked_at: float | None = None
    """When it was last checked, in seconds since the epoch; None where the source does not say."""
    cost: float | None = None
    """What the source says it charged, in its own credits; None: its price."""
    reason: Reason | None = None
    evidence: str | None = None
    """What an inferred address follows from: "first.last, 12 of 12 at example.com". At most 200
    characters, no address."""
    others: tuple[Hit, ...] = ()
    """Of a source that costs nothing: what it knows besides, the best first, in case that this
    address may not be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """The source was asked and has none."""

    reason: Reason | None = None
    cost: float | None = None
    """As in a hit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InProgress:
    """The source has begun, and is to be asked for the outcome by its ticket."""

    ticket: str
    """The source's own id of what it has begun: at most 200 characters, no secret, no address."""
    poll_after: float
    """Seconds after which to ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """The source did nothing and charged nothing; asked in `retry_after` seconds, it may."""

    retry_after: float | None = None


class LostReason(StrEnum):
    """Why an answer is lost."""

    NO_ANSWER = "no-answer"
    """The connection broke, or time ran out, after the question was sent."""
    UNREADABLE = "unreadable"
    """The answer has a shape that this version does not know."""
    FAILED = "failed"
    """The source says that it failed, but not whether it charged."""
    REFUSED = "refused"
    """The source does not take this very question: that says nothing of the next one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The source was asked, may have charged, and its answer is not known: never asked again."""

    why: LostReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Misconfigured:
    """The source refuses its key, plan, credit or settings: asking again cannot help."""

    reason: Reason = Reason.SOURCES_MISCONFIGURED


Outcome = Hit | Miss | Unavailable | Lost | Misconfigured


class Source(Protocol):
    """A place where emails come from."""

    @property
    def name(self) -> str:
        """A short name, kept beside each answer as its provenance."""

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        """Ask for the address of that kind of the person with this canonical profile URL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a vendor asks, and how much it may be asked."""

    hit: float
    """Its own credits for an address found."""
    miss: float = 0.0
    """Its own credits where it has none."""
    at_once: int | None = None
    """Questions under way at the same time; None: no limit is known."""
    per_second: float | None = None
    """Questions begun in a second."""
    idempotent_billing: bool = False
    """Whether the same question, asked again, is not charged again: then a lost answer is asked for
    again, and an adapter says `Unavailable` in place of `Lost`."""


class Vendor(Source, Protocol):
    """A source that is paid."""

    @property
    def terms(self) -> Terms:
        """Its price and its limits."""

    @property
    def kinds(self) -> frozenset[EmailType]:
        """The kinds of addresses that it has at all; it is not asked for another one."""

    @property
    def verified_on(self) -> str | None:
        """The day on which somebody ran it with a real key; None: it is made from documents
        alone."""

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:
        """Ask for the outcome of what was begun; this is never charged."""

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        """Its own credits that are left; None where it cannot be asked. This is never charged."""

    async def aclose(self) -> None:
        """Close what it has opened."""


def is_vendor(source: Source) -> TypeIs[Vendor]:
    """Whether the source is paid."""
    return hasattr(source, "terms")


class AddressDefect(StrEnum):
    """Why an address is not told."""

    SYNTAX = "syntax"
    """It can be no address."""
    ROLE = "role"
    """It belongs to an office, not to a person: info@, sales@."""
    DISPOSABLE = "disposable"
    """Its domain gives addresses away for minutes."""
    NO_MAIL = "no-mail"
    """Its domain takes no mail."""


class AddressCheck(Protocol):
    """What is looked at before an address is told."""

    async def find_defect(self, email: str) -> AddressDefect | None:
        """What is wrong with the address; None where nothing is, or nothing can be known."""
