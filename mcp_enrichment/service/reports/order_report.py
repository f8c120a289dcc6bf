"""The cheapest order of the sources by their stored calls, or why it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from mcp_enrichment.credentials.keys import KEYLESS_SOURCES
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.reports.call_history import ANSWERED, CallHistory
from mcp_enrichment.service.reports.source_order import (
    MIN_ANSWERED,
    AnsweredLookups,
    Charges,
    CheapestOrder,
    cheapest_order,
)
from mcp_enrichment.service.sources.factory import vendor_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_enrichment.contract.models import EmailType


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReport:
    email_type: EmailType
    order: CheapestOrder | None
    not_priced: Sequence[str]
    """Vendors without a price."""
    too_few: Mapping[str, int]
    """The answered lookups of the sources that have fewer than `MIN_ANSWERED`."""


def order_report(
    email_type: EmailType,
    configured: Sequence[str],
    history: Mapping[str, Mapping[EmailType, CallHistory]],
    prices: Mapping[str, Decimal],
) -> OrderReport | None:
    """The cheapest order for a type of address; None if there is nothing to put in order.

    A free source that ends no lookup, such as `inferred`, is left out: its place makes no
    difference.
    """
    calls = {name: history.get(name, {}).get(email_type, CallHistory()) for name in configured}
    vendors = [
        name
        for name in configured
        if name not in KEYLESS_SOURCES and email_type in vendor_class(name).prices
    ]
    ordered = [
        name
        for name in configured
        if name in vendors or (name in KEYLESS_SOURCES and calls[name].ended.count)
    ]
    if len(ordered) == 1 or not any(calls[name].states for name in vendors):
        return None
    not_priced = [name for name in vendors if name not in prices]
    answered = {name: calls[name].count(*ANSWERED, CallState.LOST) for name in ordered}
    too_few = {name: count for name, count in answered.items() if count < MIN_ANSWERED}
    order = None
    if not (not_priced or too_few):
        order = cheapest_order(
            [
                _answered(name, calls[name], email_type, prices.get(name, Decimal()))
                for name in ordered
            ]
        )
    return OrderReport(email_type=email_type, order=order, not_priced=not_priced, too_few=too_few)


def list_prices(name: str, email_type: EmailType) -> tuple[Decimal, Decimal]:
    """The price of an address and of a miss in the source's own credits, as its terms state it."""
    if name in KEYLESS_SOURCES:
        return Decimal(), Decimal()
    vendor = vendor_class(name)
    hit = vendor.prices.get(email_type, max(vendor.prices.values()))
    return Decimal(repr(hit)), Decimal(repr(vendor.miss_price))


def _answered(
    name: str, calls: CallHistory, email_type: EmailType, price: Decimal
) -> AnsweredLookups:
    """The lookups with their charges in money. A lost answer counts as charged in full."""
    hit, miss = list_prices(name, email_type)
    passed_on = calls.passed_on.plus(calls.count(CallState.LOST), hit)
    return AnsweredLookups(
        source=name,
        ended=_in_money(calls.ended, price, hit),
        passed_on=_in_money(passed_on, price, miss),
    )


def _in_money(charges: Charges, price: Decimal, list_price: Decimal) -> Charges:
    return Charges(
        count=charges.count,
        total=charges.total * price,
        squares=charges.squares * price**2,
        list_price=list_price * price,
    )
