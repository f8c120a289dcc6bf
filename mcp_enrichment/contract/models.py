"""The wire: what crosses HTTP between the face and a service, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from mcp_enrichment.contract.http import ENRICHMENT_ID

MAX_EXTERNAL_ID = 256
"""Characters; the contract's limit."""
SOURCE_NAME = r"^[a-z0-9-]{1,32}$"
"""What a source may be called: no text of any other form reaches a model."""
EVIDENCE = r"^[a-z._-]{1,20}, [0-9]{1,6} of [0-9]{1,6} at [^\s,;:]+$"
"""The one form of an inferred address's evidence: no other text from outside reaches a model. A
bound on the domain would make two megabytes of it."""
MAX_EVIDENCE = 295
"""Characters, of which a domain has at most 253."""


class EmailType(StrEnum):
    """Which of a person's addresses is asked for."""

    WORK = "work"
    """An address at an employer's domain."""
    PERSONAL = "personal"
    """An address at a free-mail provider."""

    @property
    def enrichment_type(self) -> str:
        """The name that an answer's `enrichment_type` uses."""
        return f"{self.value}_email"


class Status(StrEnum):
    """Where a request stands. Three of the five are final."""

    PENDING = "pending"
    """Accepted, not begun."""
    PROCESSING = "processing"
    """Being looked up."""
    COMPLETED = "completed"
    """An address was found."""
    NOT_FOUND = "not-found"
    """Every source was asked and none has an address."""
    FAILED = "failed"
    """The lookup could not be carried out; whether an address exists is not known."""

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.NOT_FOUND, Status.FAILED})


class Reason(StrEnum):
    """Why a request ended as it did: additive to the contract, told by our own service only."""

    NO_CONTACTS = "no-contacts"
    """The contacts source is empty: nothing has been imported yet."""
    SOURCE_OUT_OF_CREDIT = "source-out-of-credit"
    """A paid source has no credit left, or its quota is used up."""
    SOURCE_HIDES_ADDRESS = "source-hides-address"
    """A paid source has an address that its plan does not show."""
    SOURCES_UNAVAILABLE = "sources-unavailable"
    """A source stayed out of reach until the tries were used up."""
    SOURCES_MISCONFIGURED = "sources-misconfigured"
    """A source refused its key or its settings."""
    ANSWER_LOST = "answer-lost"
    """A source was asked and may have charged, and its answer is not known."""
    SANDBOX = "sandbox"
    """It was played by the test mode: nobody was looked up, and an address is nobody's."""
    SUPPRESSED = "suppressed"
    """The person, or the address, is on the suppression list: nothing is told."""
    ERASED = "erased"
    """What was stored about the person was erased."""
    EXPIRED = "expired"
    """Its time was over, and what was found was deleted."""


class Verification(StrEnum):
    """How far an address is known to be right: additive to the contract."""

    VERIFIED = "verified"
    """The source says that it checked it, and that mail arrives."""
    UNVERIFIED = "unverified"
    """The source does not say that it checked it."""
    CATCH_ALL = "catch-all"
    """Its domain takes any address: it cannot be checked."""
    INFERRED = "inferred"
    """It follows from how other addresses of its domain are formed: nobody has seen it."""
    OWN_DATA = "own-data"
    """It stands in the user's own contacts."""


E = TypeVar("E", bound=StrEnum)


def _member(kind: type[E], value: object, default: E | None) -> E | None:
    return next((member for member in kind if member == value), default)


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


class EnrichmentRequest(BaseModel):
    """The body of the POST. Unknown fields are ignored, as the contract leaves them open."""

    model_config = ConfigDict(frozen=True)

    linkedin_url: Annotated[str, Field(examples=["https://www.linkedin.com/in/username"])]
    type: EmailType
    callback_url: Annotated[str | None, Field(json_schema_extra={"format": "uri"})] = None
    external_id: Annotated[str, Field(max_length=MAX_EXTERNAL_ID)] | None = None


class FoundEmail(BaseModel):
    """An address, and which kind it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    type: Annotated[EmailType | None, WrapValidator(_or_none)] = None


class EnrichmentBody(BaseModel):
    """The body of the 201, of a poll and of a callback.

    Reading is lenient, since vendors drift: an unknown status counts as not final, a bare string is
    taken for an address, unknown fields are ignored, and what is wrong beside the three that the
    contract requires is taken for absent: no answer that was paid for is lost over it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: Annotated[str, Field(alias="_id", pattern=ENRICHMENT_ID)]
    status: Status
    linkedin_url: str
    enrichment_type: Annotated[
        str | None,
        Field(json_schema_extra={"enum": [kind.enrichment_type for kind in EmailType]}),
    ] = None
    email: FoundEmail | None = None
    external_id: str | None = None
    credits_charged: int | None = None
    """Additive: 1 when a credit was settled, 0 when it was released, absent before the end."""
    created_at: float | None = None
    """Additive: when the request was accepted, in seconds since the epoch."""
    reason: Reason | None = None
    """Additive: why it ended so, where that helps."""
    source: Annotated[str | None, Field(pattern=SOURCE_NAME)] = None
    """Additive: where the address comes from."""
    verification: Verification | None = None
    """Additive: how far the address is known to be right."""
    checked_at: float | None = None
    """Additive: when its source last checked it, in seconds since the epoch."""
    evidence: Annotated[str | None, Field(pattern=EVIDENCE, max_length=MAX_EVIDENCE)] = None
    """Additive: what an inferred address follows from."""

    @field_validator(
        *("enrichment_type", "email", "external_id", "credits_charged", "created_at"),
        *("source", "checked_at", "evidence"),
        mode="wrap",
    )
    @classmethod
    def _wrong_is_absent(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        return _or_none(value, read)

    @field_validator("status", mode="before")
    @classmethod
    def _unknown_status_is_not_final(cls, value: Any) -> Any:
        return _member(Status, value, Status.PROCESSING) if isinstance(value, str) else value

    @field_validator("email", mode="before")
    @classmethod
    def _bare_string_is_an_address(cls, value: Any) -> Any:
        return {"email": value} if isinstance(value, str) else value

    @field_validator("reason", mode="before")
    @classmethod
    def _unknown_reason_is_none(cls, value: Any) -> Any:
        return _member(Reason, value, None)

    @field_validator("verification", mode="before")
    @classmethod
    def _unknown_verification_is_none(cls, value: Any) -> Any:
        return _member(Verification, value, None)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the contract: `email` is null once it is known that there is none."""
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return body | {"email": None} if self.status is Status.NOT_FOUND else body


class Credits(BaseModel):
    """The balance of the team that owns the key."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    balance: Annotated[int, Field(ge=0)]
    held: Annotated[int, Field(ge=0)] | None = None
    """Additive: credits that running requests hold, which are off the balance already."""

    @field_validator("held", mode="wrap")
    @classmethod
    def _wrong_is_absent(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        return _or_none(value, read)


class LedgerEntryKind(StrEnum):
    """What moves credits."""

    GRANT = "grant"
    CORRECT = "correct"
    """By hand, either way."""
    HOLD = "hold"
    """Set aside for a request that was accepted."""
    SETTLE = "settle"
    """Spent: the request has found an address."""
    RELEASE = "release"
    """Given back: it has found none."""


class HistoryEntry(BaseModel):
    """One movement of credits."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: int
    kind: LedgerEntryKind
    amount: int
    available_after: int
    request_id: str | None
    reason: str | None
    at: float
    """Seconds since the epoch."""


class History(BaseModel):
    """A page of the ledger, the newest entry first."""

    model_config = ConfigDict(frozen=True)

    entries: list[HistoryEntry]


class ErrorDetail(BaseModel):
    """What was refused: a code for programs, a sentence for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: ErrorDetail


class NoCreditBody(ErrorBody):
    """The body of the 402: what is missing beside what was refused."""

    balance: Annotated[int, Field(ge=0)]
    required: int
    how_to_get_more: str
