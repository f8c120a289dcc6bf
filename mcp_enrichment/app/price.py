"""The most that one lookup costs in money, by the prices in the settings."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.contract.price import CreditPrice

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

CONTRACT_VENDOR = "salesfinity"
"""The name, in ENRICHMENT_PRICES, of the vendor at `VENDOR_URL`."""


def credit_price(settings: Settings) -> CreditPrice | None:
    """The most that one lookup costs, which is one credit of the service; None if it is unknown.

    With the service at `VENDOR_URL` it is the price of its credit. With the embedded service, a
    lookup asks each vendor once at most. Each charges for an address, and some (Wiza) for a miss.
    So it is the sum, over the vendors, of the dearer of the two. It is unknown for another service,
    and if the price of a vendor is not set.
    """
    if not settings.prices:
        return None
    if settings.is_embedded:
        amount = _price_of_all_vendors(settings)
    elif settings.server_url == VENDOR_URL:
        amount = settings.prices.get(CONTRACT_VENDOR)
    else:
        amount = None
    if amount is None:
        return None
    return CreditPrice(amount=amount, currency=settings.currency or "")


def _price_of_all_vendors(settings: Settings) -> Decimal | None:
    from mcp_enrichment.service.sources.factory import NAMES, vendor_class  # noqa: PLC0415

    prices, total = settings.prices, Decimal(0)
    vendors = [name for name in settings.sources if name in NAMES]
    for name in vendors:
        if name not in prices:
            return None
        vendor = vendor_class(name)
        dearest = max(vendor.miss_price, *vendor.prices.values())
        total += prices[name] * Decimal(repr(dearest))
    return total if vendors else None
