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
    """What a vendor's words for an address mean, in lower case; None: it is of no use. A word that
    is not here leaves an address unverified."""


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
_CLAIMS = frozenset({Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED})


def read(shape: type[S], body: Any) -> S:
    """The body in this shape. Raises `Unreadable`, which quotes nothing of it."""
    try:
        return shape.model_validate(body)
    except ValidationError:
        raise Unreadable from None


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
    """What the address that a vendor gives comes to, with its word for it.

    `price`: what an address costs; `charged`: what the vendor says it charged; `kind`: what it says
    of the kind of this very address. Raises `Unreadable`.
    """
    means = words.get((word or "").lower(), Verification.UNVERIFIED)
    if not email:
        if charged or means in _CLAIMS:
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
    if means is None:
        return Miss(cost=cost)
    return Hit(email=address, kind=kind, verification=means, cost=cost, checked_at=checked_at)
