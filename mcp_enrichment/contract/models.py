"""The bodies of the HTTP contract between a client and a service."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from mcp_enrichment.contract.http import ENRICHMENT_ID

MAX_EXTERNAL_ID = 256
"""Characters; the contract's limit."""
MAX_IDEMPOTENCY_KEY = 255
MAX_BATCH = 100
"""Requests in one POST of a batch."""
IDEMPOTENCY_KEY = r"^[!-~]+$"
"""The form of a key in a body: any text that is valid as the value of a header."""
SOURCE_NAME = r"^[a-z0-9-]{1,32}$"
"""The form of a source's name: no other text reaches a model."""
EVIDENCE = r"^[a-z._-]{1,20}, [0-9]{1,6} of [0-9]{1,6} at [^\s,;:]+$"
"""The form of the evidence of an inferred email: no other text reaches a model. A bound on the
length of the domain would make the compiled pattern two megabytes large."""
MAX_EVIDENCE = 295
"""Characters, of which a domain has at most 253."""


class EmailType(StrEnum):
    """The type of an email."""

    WORK = "work"
    """An email at an employer's domain."""
    PERSONAL = "personal"
    """An email at a free-mail provider."""

    @property
    def enrichment_type(self) -> str:
        """The value of the field `enrichment_type` in responses."""
        return f"{self.value}_email"


class Status(StrEnum):
    """The status of a request. Three of the five are final."""

    PENDING = "pending"
    """Accepted, not started."""
    PROCESSING = "processing"
    """Being looked up."""
    COMPLETED = "completed"
    """An email was found."""
    NOT_FOUND = "not-found"
    """No source has an email."""
    FAILED = "failed"
    """The lookup failed. Whether an email exists is unknown."""

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.NOT_FOUND, Status.FAILED})


class Reason(StrEnum):
    """Why a request has its status. Our addition to the contract."""

    NO_CONTACTS = "no-contacts"
    """No contacts have been imported yet."""
    SOURCE_OUT_OF_CREDIT = "source-out-of-credit"
    """A paid source has no credit left, or its quota is used up."""
    SOURCE_HIDES_ADDRESS = "source-hides-address"
    """A paid source has an email that its plan does not show."""
    SOURCES_UNAVAILABLE = "sources-unavailable"
    """A source was unavailable in all attempts."""
    SOURCES_MISCONFIGURED = "sources-misconfigured"
    """A source refused its key or its settings."""
    ANSWER_LOST = "answer-lost"
    """A source may have charged, and its response is unknown."""
    SANDBOX = "sandbox"
    """A result of the test mode: nobody was looked up."""
    SUPPRESSED = "suppressed"
    """The person or the email is on the suppression list."""
    ERASED = "erased"
    """The person's data was erased."""
    EXPIRED = "expired"
    """The result was deleted after its retention period."""


class Verification(StrEnum):
    """The verification of an email. Our addition to the contract."""

    VERIFIED = "verified"
    """The source has checked that it receives mail."""
    UNVERIFIED = "unverified"
    """The source has not checked it."""
    CATCH_ALL = "catch-all"
    """Its domain accepts any address, so it cannot be checked."""
    INFERRED = "inferred"
    """It is inferred from the pattern of other emails at its domain."""
    OWN_DATA = "own-data"
    """It is from the user's own contacts."""


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _corrected(given: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The body without the invalid values of its optional fields."""
    corrected = dict(given)
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(fault["loc"][0])
        value = given.get(name)
        if name == "status" and isinstance(value, str):
            corrected[name] = Status.PROCESSING
        elif name == "email" and isinstance(value, str):
            corrected[name] = {"email": value}
        elif name not in _REQUIRED:
            corrected.pop(name, None)
    return corrected


_REQUIRED = frozenset({"_id", "id", "status", "linkedin_url"})


class EnrichmentRequest(BaseModel):
    """The body of the POST. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    linkedin_url: Annotated[str, Field(examples=["https://www.linkedin.com/in/username"])]
    type: EmailType
    callback_url: Annotated[str | None, Field(json_schema_extra={"format": "uri"})] = None
    external_id: Annotated[str, Field(max_length=MAX_EXTERNAL_ID)] | None = None


class BatchItem(EnrichmentRequest):
    """One request of a batch. Its key is what the header `Idempotency-Key` is for a request of its
    own, so a repeat may come in either form."""

    idempotency_key: (
        Annotated[str, Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY, pattern=IDEMPOTENCY_KEY)]
        | None
    ) = None

    @property
    def request(self) -> EnrichmentRequest:
        """The body of a POST of its own."""
        return EnrichmentRequest(**self.model_dump(exclude={"idempotency_key"}))


class BatchRequest(BaseModel):
    """The body of the POST of a batch. Our addition to the contract."""

    model_config = ConfigDict(frozen=True)

    requests: Annotated[list[BatchItem], Field(min_length=1, max_length=MAX_BATCH)]


class FoundEmail(BaseModel):
    """An email and its type."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    type: Annotated[EmailType | None, WrapValidator(_or_none)] = None


class EnrichmentBody(BaseModel):
    """The body of the 201, of a poll and of a callback.

    Parsing is lenient, so that no paid result is lost if a vendor changes its format: an unknown
    status counts as not final, a text counts as an email, unknown fields are ignored, and invalid
    values of optional fields count as absent.
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
    """Additive: 1 if a credit was charged, 0 if it was released, absent until it is final."""
    created_at: float | None = None
    """Additive: when the request was accepted, in seconds since the epoch."""
    reason: Reason | None = None
    """Additive: why it has its status."""
    source: Annotated[str | None, Field(pattern=SOURCE_NAME)] = None
    """Additive: the source of the email."""
    verification: Verification | None = None
    """Additive: the verification of the email."""
    checked_at: float | None = None
    """Additive: when the source last verified it, in seconds since the epoch."""
    evidence: Annotated[str | None, Field(pattern=EVIDENCE, max_length=MAX_EVIDENCE)] = None
    """Additive: the evidence of an inferred email."""

    @model_validator(mode="wrap")
    @classmethod
    def _lenient(cls, given: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(given)
        except ValidationError as error:
            if not isinstance(given, dict):
                raise
            return validate(_corrected(given, error))

    def to_json(self) -> dict[str, Any]:
        """The JSON object. For `not-found` its `email` is null."""
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return body | {"email": None} if self.status is Status.NOT_FOUND else body


class Credits(BaseModel):
    """The balance of the API key's team."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    balance: Annotated[int, Field(ge=0)]
    held: Annotated[Annotated[int, Field(ge=0)] | None, WrapValidator(_or_none)] = None
    """Additive: credits held for running requests. The balance does not include them."""


class LedgerEntryKind(StrEnum):
    """The kind of a ledger entry."""

    GRANT = "grant"
    CORRECT = "correct"
    """A manual correction, up or down."""
    HOLD = "hold"
    """Held for an accepted request."""
    SETTLE = "settle"
    """Settled: the request has found an email."""
    RELEASE = "release"
    """Released: it has found none."""


class HistoryEntry(BaseModel):
    """One movement of credits. The ledger is append-only."""

    model_config = ConfigDict(frozen=True)

    id: int
    kind: LedgerEntryKind
    amount: int
    """Negative only in a correction."""
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
    """A code for programs, and a sentence for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: str


class ErrorBody(BaseModel):
    """The body of each response that is no success."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: ErrorDetail


class NoCreditBody(ErrorBody):
    """The body of the 402, with the balance."""

    balance: Annotated[int, Field(ge=0)]
    required: int
    how_to_get_more: str


class BatchResult(BaseModel):
    """The answer for one request of a batch: the request if it was accepted, else the error."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: int
    """The HTTP status that a POST of its own would have got."""
    enrichment: EnrichmentBody | None = None
    idempotent_replayed: bool | None = None
    """With an idempotency key: whether this repeats the first answer."""
    error: ErrorDetail | None = None


class BatchBody(BaseModel):
    """The answer to the POST of a batch, with a result for each request, in their order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    results: list[BatchResult]
