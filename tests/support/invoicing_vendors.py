"""Vendors that charge for hits, misses and lost answers, and keep their own invoice."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import (
    Hit,
    InProgress,
    Lost,
    LostReason,
    Miss,
    Terms,
    Unavailable,
)
from tests.support.lookup_outcomes import OFFICE

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Outcome

LIST_HIT, LIST_MISS = "0.7", "0.1"
"""The prices that the terms state, in the vendor's own credits."""
_VERIFIED = Verification.VERIFIED
ANSWERS: tuple[tuple[str, Outcome], ...] = (
    ("1.1", Hit(email="a@example.com", verification=_VERIFIED, cost=1.1)),
    ("0.3", Hit(email="b@example.com", verification=_VERIFIED, cost=0.3)),
    (LIST_HIT, Hit(email="c@example.com", verification=_VERIFIED)),
    (LIST_HIT, Hit(email="maybe@example.com")),
    ("0.2", Hit(email=OFFICE, verification=_VERIFIED, cost=0.2)),
    (LIST_MISS, Miss()),
    ("0.1", Miss(cost=0.1)),
    ("0", Miss(cost=0.0)),
    ("0", Unavailable()),
)
"""Charges of a vendor, in its credits, each with its answer."""
LOST = (("1", Lost(why=LostReason.UNREADABLE)), ("0", Lost(why=LostReason.NO_ANSWER)))


@dataclass(kw_only=True)
class InvoicingVendor:
    """A vendor with random answers of these, the same for the same name. Some lookups take time,
    and are charged at the end."""

    name: str
    answers: tuple[tuple[str, Outcome], ...] = ANSWERS
    invoice: Decimal = Decimal()
    """In its credits."""
    lost: int = 0
    charged_for_lost: Decimal = Decimal()
    terms: Terms = field(default=Terms(hit=float(LIST_HIT), miss=float(LIST_MISS)))
    email_types: frozenset[EmailType] = frozenset(EmailType)
    verified_on: str | None = None

    def __post_init__(self) -> None:
        self._random = Random(self.name)  # noqa: S311

    async def find(self, _profile: str, _email_type: EmailType) -> Outcome | InProgress:
        if self._random.random() < 0.2:
            return InProgress(job_id="job", poll_after=5.0)
        return self._answer()

    async def collect(self, _job_id: str, _email_type: EmailType) -> Outcome | InProgress:
        return self._answer()

    async def balance(self) -> float | None:
        return None

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self) -> Outcome:
        charge, answer = self._random.choice(self.answers)
        self.invoice += Decimal(charge)
        if isinstance(answer, Lost):
            self.lost += 1
            self.charged_for_lost += Decimal(charge)
        return answer
