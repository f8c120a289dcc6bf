"""Reading what a vendor answers: strict in what is relied on, blind to all else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.sources.exports.mailbox import clean_email
from mcp_enrichment.service.sources.port import Hit, Misconfigured, Miss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_enrichment.contract.models import EmailType

    Words = Mapping[str, Verification | None]
    """What a vendor's words for an address mean, as `as_word` writes them; None: it is no use."""


class Unreadable(Exception):
    """The answer has a shape that this version does not know."""


class Shape(BaseModel):
    """A part of an answer. What must be there is required, even where it may be null: only so does
    a shape that has changed not look like a miss."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


S = TypeVar("S", bound=BaseModel)

Credits = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Ticket = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
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
NO_USE = frozenset(_TAKES_NO_MAIL | _IS_NOBODYS_OWN)
"""Words of verifiers, at any vendor, for an address that takes no mail, or is not a person's."""
_CLAIMS = frozenset({Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED})
_RANKS = (
    Verification.VERIFIED,
    Verification.UNVERIFIED,
    Verification.CATCH_ALL,
    Verification.INFERRED,
)
"""The best first, as the sources together have it."""


def read(shape: type[S], body: Any) -> S:
    """The body in this shape. Raises `Unreadable`, which quotes nothing of it."""
    try:
        return shape.model_validate(body)
    except ValidationError:
        raise Unreadable from None


def as_word(said: str | None) -> str:
    """A vendor's word in one spelling: `No MX`, `no-mx` and `NO_MX` are one."""
    return _BETWEEN.sub("_", (said or "").strip().lower())


def mentions_address(body: object) -> bool:
    """Whether there is an address anywhere in it: then its absence elsewhere is no miss."""
    return bool(_ADDRESS.search(str(body)))


def require_whole(record: Mapping[str, object], *names: str) -> None:
    """Of a record that has no field for an address: raise `Unreadable` where it has none of the
    fields that it always has either, or an address at another place."""
    if mentions_address(record) or not any(name in record for name in names):
        raise Unreadable


def outcome_for(
    email: str | None,
    word: str | None,
    words: Words,
    *,
    price: float,
    charged: float | None = None,
    checked_at: float | None = None,
    kind: EmailType | None = None,
) -> Hit | Miss | Misconfigured:
    """What the address that a vendor gives comes to, with its word for it. An address without a
    word is unverified; one with a word that is not known is unreadable: it may say "no".

    `price`: what an address costs; `charged`: what the vendor says it charged; `kind`: what it says
    of the kind of this very address. Raises `Unreadable`.
    """
    if not email:
        if charged or words.get(as_word(word)) in _CLAIMS:
            raise Unreadable  # it speaks of an address that is not where it should be
        return Miss(cost=charged)
    if _MASK.search(email):
        return HIDDEN
    if _SAMPLES.search(email):
        return Misconfigured()
    address = clean_email(email)
    if address is None:
        raise Unreadable
    cost = price if charged is None else charged
    means = meaning_of(word, words)
    if means is None:
        return Miss(cost=cost)
    return Hit(email=address, kind=kind, verification=means, cost=cost, checked_at=checked_at)


def meaning_of(word: str | None, words: Words) -> Verification | None:
    """What a vendor's word says of an address; None: it is of no use. Raises `Unreadable`."""
    said = as_word(word)
    if said in words:
        return words[said]
    if said in NO_USE:
        return None
    if said:
        raise Unreadable
    return Verification.UNVERIFIED


def rank_of(word: str | None, words: Words) -> int:
    """The place of an address with this word among several, the best first; last, one that is no
    use, or whose word is not known."""
    try:
        means = meaning_of(word, words)
    except Unreadable:
        means = None
    return _RANKS.index(means) if means in _RANKS else len(_RANKS)
