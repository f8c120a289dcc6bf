"""The finds and the cost of each source, in its own credits and in money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from mcp_enrichment.credentials.keys import KEYLESS_SOURCES
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.reports.call_history import ANSWERED, median_seconds, read_history
from mcp_enrichment.service.reports.order_report import list_prices, order_report
from mcp_enrichment.service.sources.factory import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.reports.call_history import CallHistory, Period
    from mcp_enrichment.service.reports.order_report import OrderReport

CENT = Decimal("0.01")
PER_ADDRESS = Decimal("0.0001")
"""The last digit of the cost of one address."""
UNKNOWN_CHARGE = (CallState.LOST, CallState.REQUESTED, CallState.WORKING)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSpending:
    source: str
    asked: int
    """Requests for which it was asked."""
    found: int
    not_found: int
    """With those whose address has a defect."""
    lost: int
    """Answers that never came: each may have been charged."""
    open: int
    """Calls without an answer yet."""
    credits: Decimal
    """Spent, in the source's own credits."""
    money: Decimal | None
    """Spent, rounded to the cent as on an invoice; None without a price."""
    credits_per_address: Decimal | None
    """None if no address was found."""
    money_per_address: Decimal | None
    """None also without a price."""
    median_seconds: float | None
    """The median time of its answers; None if there are none."""
    unknown_credits: Decimal | None
    """The most that lost and open calls may have cost; None for a vendor of another version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendingReport:
    """The report of `sources report`."""

    sources: Sequence[SourceSpending]
    total: Decimal | None
    """In money, as the invoices add up; None if a price is missing."""
    not_priced: Sequence[str]
    """Sources that spent credits and have no price."""
    orders: Sequence[OrderReport]


def spending_report(
    connection: Connection,
    period: Period,
    configured: Sequence[str],
    prices: Mapping[str, Decimal],
) -> SpendingReport:
    """The report of the calls in this period.

    `configured`: the sources in the order of asking; other sources with calls follow. `prices`: of
    one credit, by vendor.
    """
    history = read_history(connection, period)
    rows = [
        _spending(connection, period, name, history.get(name, {}), prices.get(name))
        for name in (*configured, *sorted(history.keys() - set(configured)))
    ]
    not_priced = [row.source for row in rows if row.money is None]
    orders = (
        order_report(email_type, configured, history, prices) for email_type in period.email_types
    )
    return SpendingReport(
        sources=rows,
        total=None if not_priced else sum((row.money or Decimal() for row in rows), Decimal()),
        not_priced=not_priced,
        orders=[order for order in orders if order],
    )


def _spending(
    connection: Connection,
    period: Period,
    name: str,
    history: Mapping[EmailType, CallHistory],
    price: Decimal | None,
) -> SourceSpending:
    def count(*states: CallState) -> int:
        return sum(calls.count(*states) for calls in history.values())

    spent = sum((calls.credits for calls in history.values()), Decimal())
    money = _money(spent, price)
    found = count(CallState.HIT)
    return SourceSpending(
        source=name,
        asked=count(*CallState),
        found=found,
        not_found=count(CallState.MISS, CallState.REJECTED),
        lost=count(CallState.LOST),
        open=count(CallState.REQUESTED, CallState.WORKING),
        credits=spent,
        money=None if money is None else money.quantize(CENT, ROUND_HALF_UP),
        credits_per_address=_per_address(spent, found),
        money_per_address=_per_address(money, found),
        median_seconds=median_seconds(connection, name, period, answers=count(*ANSWERED)),
        unknown_credits=_unknown_credits(name, history),
    )


def _money(spent: Decimal, price: Decimal | None) -> Decimal | None:
    if not spent:
        return Decimal()
    return None if price is None else spent * price


def _per_address(spent: Decimal | None, found: int) -> Decimal | None:
    if spent is None or not found:
        return None
    return (spent / found).quantize(PER_ADDRESS, ROUND_HALF_UP)


def _unknown_credits(name: str, history: Mapping[EmailType, CallHistory]) -> Decimal | None:
    if name not in NAMES | KEYLESS_SOURCES:
        return None
    each = (
        max(list_prices(name, email_type)) * calls.count(*UNKNOWN_CHARGE)
        for email_type, calls in history.items()
    )
    return sum(each, Decimal())
