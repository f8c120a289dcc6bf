"""Parsing responses of vendors: strict about fields that are used, and ignoring all others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.sources.base import Lost, LostReason, Misconfigured
from mcp_enrichment.service.sources.exports.email_address import clean_email

StatusMap = Mapping[str, Verification | None]
"""The meaning of a vendor's normalized status words; None: the address is not usable."""


class UnreadableResponse(Exception):
    """The response has a schema that this version does not know."""


class VendorModel(BaseModel):
    """A part of a response. A field that must be present is required, even if it may be null, so
    that a changed schema is not read as a miss."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


S = TypeVar("S", bound=BaseModel)

Credits = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
VendorJobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
"""The vendor's id of a job. An email address does not match."""

OUT_OF_CREDIT = Misconfigured(reason=Reason.SOURCE_OUT_OF_CREDIT)
HIDDEN = Misconfigured(reason=Reason.SOURCE_HIDES_ADDRESS)
FAILED = Lost(why=LostReason.FAILED)
REFUSED = Lost(why=LostReason.REFUSED)

_MASK = re.compile(r"[*\u2022\u2026]|not_unlocked@", re.IGNORECASE)
_SAMPLE_DOMAIN = re.compile(r"@(?:.+\.)?example\.(?:com|net|org)$", re.IGNORECASE)
"""Reserved domains (RFC 2606), which vendors show to a key without access."""
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_SEPARATORS = re.compile(r"[\s_-]+")
_UNDELIVERABLE = {"bounced", "invalid", "invalid_domain", "no_mx", "not_found", "undeliverable"}
_IMPERSONAL = {"abuse", "disposable", "do_not_mail", "role", "spamtrap"}
UNUSABLE_WORDS = frozenset(_UNDELIVERABLE | _IMPERSONAL)
"""Status words, at any vendor, for an address that is undeliverable or not a person's."""
_CLAIMS = frozenset({Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED})
_RANKS = (
    Verification.VERIFIED,
    Verification.UNVERIFIED,
    Verification.CATCH_ALL,
    Verification.INFERRED,
)
"""The best first, in the same order as among sources."""


def parse(model: type[S], body: Any) -> S:
    """The body as this model. Raises `UnreadableResponse`, which quotes none of it."""
    try:
        return model.model_validate(body)
    except ValidationError:
        raise UnreadableResponse from None


def normalize_word(word: str | None) -> str:
    """A status word in one spelling: `No MX`, `no-mx` and `NO_MX` become `no_mx`."""
    return _SEPARATORS.sub("_", (word or "").strip().lower())


def mentions_address(body: object) -> bool:
    """Whether the body contains an address anywhere. If so, an absent field is not a miss."""
    return bool(_ADDRESS.search(str(body)))


def require_fields(record: Mapping[str, object], *names: str) -> None:
    """Raise `UnreadableResponse` for a record without an address field that has none of these
    fields either, or has an address in another place."""
    if mentions_address(record) or not any(name in record for name in names):
        raise UnreadableResponse


def readable_address(email: str) -> str | Misconfigured:
    """The cleaned address; `Misconfigured` if the vendor hides the real one from this key. Raises
    `UnreadableResponse` if it is not an address."""
    if _MASK.search(email):
        return HIDDEN
    if _SAMPLE_DOMAIN.search(email):
        return Misconfigured()
    address = clean_email(email)
    if address is None:
        raise UnreadableResponse
    return address


def is_claim(status: str | None, statuses: StatusMap) -> bool:
    """Whether the status is one of an address that was found."""
    return statuses.get(normalize_word(status)) in _CLAIMS


def verification_for(status: str | None, statuses: StatusMap) -> Verification | None:
    """The verification of an address by its status; None: it is not usable. An address without a
    status is unverified. Raises `UnreadableResponse` for an unknown status: it may mean "no"."""
    word = normalize_word(status)
    if word in statuses:
        return statuses[word]
    if word in UNUSABLE_WORDS:
        return None
    if word:
        raise UnreadableResponse
    return Verification.UNVERIFIED


def verification_rank(status: str | None, statuses: StatusMap) -> int:
    """The rank of an address by its status, the best first. One that is not usable, or whose status
    is unknown, is the last."""
    try:
        verification = verification_for(status, statuses)
    except UnreadableResponse:
        verification = None
    return _RANKS.index(verification) if verification in _RANKS else len(_RANKS)
