"""The interface of sources and vendors, and the outcomes of a lookup at one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.contract.source_limit import SourceLimit

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from mcp_enrichment.contract.models import EmailType


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """The source has an email of the requested type."""

    email: str
    email_type: EmailType | None = None
    """The type of this email as the source states it; None if it does not."""
    verification: Verification = Verification.UNVERIFIED
    checked_at: float | None = None
    """The time of the last verification, in seconds since the epoch; None if unknown."""
    cost: float | None = None
    """The charged amount in the source's own credits; None: its price."""
    reason: Reason | None = None
    evidence: str | None = None
    """The evidence of an inferred email: "first.last, 12 of 12 at example.com". At most 200
    characters, without an address."""
    others: tuple[Hit, ...] = ()
    """Further emails of a free source, the best first, if this one may not be returned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """The source has no email."""

    reason: Reason | None = None
    cost: float | None = None
    """As in `Hit`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InProgress:
    """The source has started a job, which is polled by its id."""

    job_id: str
    """The source's id of the job: at most 200 characters, no secret and no address."""
    poll_after: float
    """Seconds until the next poll."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """The source did nothing and charged nothing. A later attempt may succeed."""

    retry_after: float | None = None


class LostReason(StrEnum):
    """Why a response is lost."""

    NO_ANSWER = "no-answer"
    """The connection broke, or timed out, after the request was sent."""
    UNREADABLE = "unreadable"
    """The response has an unknown schema."""
    FAILED = "failed"
    """The source reports a failure, but not whether it charged."""
    REFUSED = "refused"
    """The source refuses this request, but not others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The source may have charged, and its response is unknown. The request is never repeated."""

    why: LostReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Misconfigured:
    """The source refuses the key, the plan, the credit or the settings. Retrying cannot help."""

    reason: Reason = Reason.SOURCES_MISCONFIGURED


Outcome = Hit | Miss | Unavailable | Lost | Misconfigured
Failure = Unavailable | Lost | Misconfigured
OUT_OF_CREDIT = Misconfigured(reason=Reason.SOURCE_OUT_OF_CREDIT)
HIDDEN = Misconfigured(reason=Reason.SOURCE_HIDES_ADDRESS)
FAILED = Lost(why=LostReason.FAILED)
REFUSED = Lost(why=LostReason.REFUSED)


class Source(Protocol):
    """Looks up emails."""

    @property
    def name(self) -> str:
        """A short name, stored with each result as its provenance."""

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        """Look up the email of this type for the person with this canonical profile URL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The prices of a vendor, and the limit on its lookups."""

    hit: float
    """The price of an email, in the vendor's own credits."""
    miss: float = 0.0
    """The price of a miss."""
    limit: SourceLimit = field(default=SourceLimit())
    idempotent_billing: bool = False
    """Whether a repeated request is not charged again. Then a lost response is `Unavailable`, and
    retried, instead of `Lost`."""


class Vendor(Source, Protocol):
    """A paid source."""

    @property
    def terms(self) -> Terms:
        """Its prices and its limit."""

    @property
    def email_types(self) -> frozenset[EmailType]:
        """The email types that it has. It is not used for another one."""

    @property
    def verified_on(self) -> str | None:
        """The day of its verification with a real key; None: it is built from documents only."""

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        """Poll a job. This is never charged."""

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        """The credits that are left; None if it has no such request. This is never charged."""

    async def aclose(self) -> None:
        """Close its connections."""


def is_vendor(source: Source) -> TypeIs[Vendor]:
    return hasattr(source, "terms")


class AddressDefect(StrEnum):
    """Why an email is not returned."""

    SYNTAX = "syntax"
    """It is not a valid address."""
    ROLE = "role"
    """It is a role address, not a person's: info@, sales@."""
    DISPOSABLE = "disposable"
    """Its domain gives out addresses for minutes."""
    NO_MAIL = "no-mail"
    """Its domain accepts no mail."""
