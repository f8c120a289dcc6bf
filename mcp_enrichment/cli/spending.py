"""Reporting what each source found and cost: a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import asdict, fields
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import format_seconds, with_service_database
from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.tables import csv_cell, new_table, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.reports.order_report import OrderReport
    from mcp_enrichment.service.reports.source_order import CheapestOrder
    from mcp_enrichment.service.reports.spending_report import SourceSpending, SpendingReport

ROUGH = (
    "A later source was asked only about people whom the earlier ones missed: the figures of "
    "another order are an estimate."
)


@click.command()
@click.option(
    "--since",
    "days",
    metavar="DAYS",
    type=click.FloatRange(0, 36_500, min_open=True),
    help="Calls of the last DAYS only.",
)
@click.option(
    "--type",
    "email_type",
    type=click.Choice(["work", "personal"]),
    help="Calls for this type of address only.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="CSV has the sources only, JSON the orders too.",
)
@with_service_database
def report(database: Database, days: float | None, email_type: str | None, form: str) -> None:
    """Report what each source was asked, found and cost, and the cheapest order of them.

    Money is the credits of a vendor times its price in ENRICHMENT_PRICES.
    """
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.reports.call_history import Period
    from mcp_enrichment.service.reports.spending_report import spending_report

    settings = load_settings()
    period = Period(
        since=0.0 if days is None else time.time() - days * 86_400,
        email_types=(EmailType(email_type),) if email_type else tuple(EmailType),
    )
    found = database.snapshot_now(
        partial(
            spending_report,
            period=period,
            configured=settings.sources,
            prices=settings.prices,
        )
    )
    show = {"table": _print_table, "json": _print_json, "csv": _print_csv}[form]
    show(found, settings.currency)


def _print_json(report: SpendingReport, currency: str | None) -> None:
    """Amounts are texts, as a number would be read as a binary fraction."""
    click.echo(json.dumps({"currency": currency} | asdict(report), default=_decimal, indent=2))


def _print_csv(report: SpendingReport, currency: str | None) -> None:
    from mcp_enrichment.service.reports.spending_report import SourceSpending

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(field.name for field in fields(SourceSpending)), "currency"])
    for source in report.sources:
        cells = (*asdict(source).values(), currency)
        writer.writerow(["" if cell is None else csv_cell(_decimal(cell)) for cell in cells])
    click.echo(text.getvalue(), nl=False)


def _decimal(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _print_table(report: SpendingReport, currency: str | None) -> None:
    unit = f" ({currency})" if currency else ""
    table = new_table()
    table.add_column("source")
    for title in ("asked", "found", "not found", "lost", "credits", f"spent{unit}"):
        table.add_column(title, justify="right")
    table.add_column(f"one address{unit}", justify="right")
    table.add_column("median", justify="right")
    for source in report.sources:
        table.add_row(*_cells(source))
    table.add_section()
    table.add_row("total", *[""] * 5, _or_dash(report.total), "", "")
    print_table(table)
    for line in ("", *_remarks(report, currency)):
        click.echo(line)


def _cells(source: SourceSpending) -> Sequence[str]:
    counts = (source.asked, source.found, source.not_found, source.lost)
    per_address = _or_dash(source.money_per_address)
    if source.money is None and source.credits_per_address is not None:
        per_address = f"{source.credits_per_address:f} credits"
    spent, took = f"{source.credits.normalize():f}", format_seconds(source.median_seconds)
    return (source.source, *map(str, counts), spent, _or_dash(source.money), per_address, took)


def _or_dash(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:f}"


def _remarks(report: SpendingReport, currency: str | None) -> Iterator[str]:
    if report.not_priced:
        yield (
            f"No total in money: ENRICHMENT_PRICES has no price of {', '.join(report.not_priced)}."
        )
    for source in report.sources:
        if unknown := source.lost + source.open:
            yield _unknown_charges(source, unknown)
    for order in report.orders:
        yield _order(order, currency)
    if any(order.order for order in report.orders):
        yield ROUGH


def _unknown_charges(source: SourceSpending, calls: int) -> str:
    most = source.unknown_credits
    up_to = "" if most is None else f"up to {most.normalize():f} of its credits "
    return (
        f"Not answered by {source.source}: {calls} of {source.asked}. "
        f"Its invoice may be {up_to}higher."
    )


def _order(found: OrderReport, currency: str | None) -> str:
    from mcp_enrichment.service.reports.source_order import MIN_ANSWERED

    kind = f"{found.email_type} addresses"
    if found.not_priced:
        return (
            f"The cheapest order for {kind} needs a price in ENRICHMENT_PRICES for "
            f"{', '.join(found.not_priced)}."
        )
    if found.order is None:
        counts = ", ".join(f"{name} has {count}" for name, count in found.too_few.items())
        return f"The cheapest order for {kind} needs {MIN_ANSWERED} answers of each: {counts}."
    unit = f" {currency}" if currency else ""
    return f"The cheapest order for {kind}: {_saving(found.order, unit)}"


def _saving(order: CheapestOrder, unit: str) -> str:
    from mcp_enrichment.service.reports.source_order import DRAWS, INTERVAL

    names = ", ".join(order.sources)
    cost = f"A lookup costs {order.cost:.4f}{unit}"
    sure = f"It is the cheapest in {order.certainty:.0%} of {DRAWS:,} draws."
    if order.is_present:
        return f"the present one, {names}. {cost}. {sure}"
    saving = f"{order.least_saving:.4f} to {order.most_saving:.4f}"
    return (
        f"{names}. {cost} in place of {order.present_cost:.4f}, a saving of {saving} "
        f"({INTERVAL:.0%} interval). {sure}"
    )
