"""What a credit costs in money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditPrice:
    """The most that one credit costs."""

    amount: Decimal
    currency: str = ""
    """Shown after the amount."""

    def of(self, count: int) -> str:
        """The price of this many credits: "1.20 EUR"."""
        return f"{self.amount * count} {self.currency}".rstrip()
