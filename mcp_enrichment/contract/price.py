"""The price of a credit in money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditPrice:
    """The most that one credit costs."""

    amount: Decimal
    currency: str = ""
    """Shown after the amount."""

    def of(self, count: int) -> str:
        """The price of this many credits, rounded up to two decimals: "1.20 EUR"."""
        amount = (self.amount * count).quantize(Decimal("0.01"), ROUND_UP)
        return f"{amount} {self.currency}".rstrip()
