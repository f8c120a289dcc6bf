"""Reading what a vendor answers: strict in what is relied on, blind to all else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.sources.base import Hit, Misconfigured, Miss
from mcp_enrichment.service.sources.exports.email_address import clean_email

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_enrichment.contract.models import EmailType

    StatusMap = Mapping[str, Verification | None]
    """The meaning of a vendor's normalized words for an address; None: the address is of no use."""


class UnreadableResponse(Exception):
    """The answer has a shape that this version does not know."""


class VendorModel(BaseModel):
    """A part of an answer. What must be there is required, even where it may be null: only so does
    a shape that has changed not look like a miss."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


S = TypeVar("S", bound=BaseModel)

Credits = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
VendorJobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
"""The vendor's own id of what it has begun: no address fits in."""

OUT_OF_CREDIT = Misconfigured(reason=Reason.SOURCE_OUT_OF_CREDIT)
HIDDEN = Misconfigured(reason=Reason.SOURCE_HIDES_ADDRESS)

_MASK = re.compile(r"[*\u2022\u2026]|not_unlocked@", re.IGNORECASE)
_SAMPLES = re.compile(r"@(?:.+\.)?example\.(?:com|net|org)$", re.IGNORECASE)
"""Domains that belong to nobody (RFC 2606), as vendors show them to a key without rights."""
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_BETWEEN = re.compile(r"[\s_-]+")
_TAKES_NO_MAIL = {"bounced", "invalid", "invalid_domain", "no_mx", "not_found", "undeliverable"}
_IS_NOBODYS_OWN = {"abuse", "disposable", "do_not_mail", "role", "spamtrap"}
UNUSABLE_WORDS = frozenset(_TAKES_NO_MAIL | _IS_NOBODYS_OWN)
"""Words of verifiers, at any vendor, for an address that takes no mail, or is not a person's."""
_CLAIMS = frozenset({Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED})
_RANKS = (
    Verification.VERIFIED,
    Verification.UNVERIFIED,
    Verification.CATCH_ALL,
    Verification.INFERRED,
)
"""The best first, as the sources together have it."""


def parse(shape: type[S], body: Any) -> S:
    """The body in this shape. Raises `UnreadableResponse`, which quotes nothing of it."""
    try:
        return shape.model_validate(body)
    except ValidationError:
        raise UnreadableResponse from None


def normalize_word(said: str | None) -> str:
    """A vendor's word in one spelling: `No MX`, `no-mx` and `NO_MX` are one."""
    return _BETWEEN.sub("_", (said or "").strip().lower())


def mentions_address(body: object) -> bool:
    """Whether there is an address anywhere in it: then its absence elsewhere is no miss."""
    return bool(_ADDRESS.search(str(body)))


def require_fields(record: Mapping[str, object], *names: str) -> None:
    """Raise `UnreadableResponse` for a record without an address field that has none of these
    fields either, or has an address in another place."""
    if mentions_address(record) or not any(name in record for name in names):
        raise UnreadableResponse


def address_outcome(
    email: str | None,
    word: str | None,
    words: StatusMap,
    *,
    price: float,
    charged: float | None = None,
    checked_at: float | None = None,
    kind: EmailType | None = None,
) -> Hit | Miss | Misconfigured:
    """What the address that a vendor gives comes to, with its word for it. An address without a
    word is unverified; one with a word that is not known is unreadable: it may say "no".

    `price`: what an address costs; `charged`: what the vendor says it charged; `kind`: what it says
    of the kind of this very address. Raises `UnreadableResponse`.
    """
    if not email:
        if charged or words.get(normalize_word(word)) in _CLAIMS:
            raise UnreadableResponse  # it speaks of an address that is not where it should be
        return Miss(cost=charged)
    if _MASK.search(email):
        return HIDDEN
    if _SAMPLES.search(email):
        return Misconfigured()
    address = clean_email(email)
    if address is None:
        raise UnreadableResponse
    cost = price if charged is None else charged
    means = verification_for(word, words)
    if means is None:
        return Miss(cost=cost)
    return Hit(email=address, kind=kind, verification=means, cost=cost, checked_at=checked_at)


def verification_for(word: str | None, words: StatusMap) -> Verification | None:
    """The meaning of a vendor's word; None: the address is no use. Raises `UnreadableResponse`."""
    said = normalize_word(word)
    if said in words:
        return words[said]
    if said in UNUSABLE_WORDS:
        return None
    if said:
        raise UnreadableResponse
    return Verification.UNVERIFIED


def verification_rank(word: str | None, words: StatusMap) -> int:
    """The place of an address with this word among several, the best first; last, one that is no
    use, or whose word is not known."""
    try:
        means = verification_for(word, words)
    except UnreadableResponse:
        means = None
    return _RANKS.index(means) if means in _RANKS else len(_RANKS)
