"""Listing the sources with their statistics, and checking one."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import anyio
import click

from mcp_enrichment.cli.common import (
    format_day,
    format_seconds,
    format_time,
    print_row,
    profile_url,
    with_service_database,
)
from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.spending import report
from mcp_enrichment.contract.models import EmailType, Reason
from mcp_enrichment.service.contacts.own_sources import keyless_sources
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.trial_lookup import trial_lookup
from mcp_enrichment.service.privacy.masking import masked_address
from mcp_enrichment.service.privacy.suppression import is_suppressed
from mcp_enrichment.service.reports.call_history import Period
from mcp_enrichment.service.reports.spending_report import spending_report
from mcp_enrichment.service.sources import factory
from mcp_enrichment.service.sources.base import (
    Hit,
    Lost,
    Misconfigured,
    Miss,
    Unavailable,
    is_vendor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.lookup.circuit_breaker import Circuit
    from mcp_enrichment.service.reports.spending_report import SourceSpending
    from mcp_enrichment.service.sources.base import Outcome, Source

PAUSE_REASONS = {
    "unavailable": "it is not available",
    "no-answer": "it does not answer",
    "unreadable": "its answers cannot be read",
    "failed": "it reports a failure",
    "sources-misconfigured": "it refuses its key or its settings",
}
"""The reasons of pauses in words. Any other reason is printed as it is."""


@click.group()
def sources() -> None:
    """The sources of addresses, as ENRICHMENT_SOURCES lists them."""


sources.add_command(report)


@sources.command("list")
@with_service_database
def list_sources(database: Database) -> None:
    """List the sources in the order of asking: what each was asked, found, and charged.

    Prices and spending are in each vendor's own credits.
    """
    chosen = _chosen(database)
    names = [source.name for source in chosen]
    found = database.snapshot_now(
        partial(spending_report, period=Period(), configured=names, prices={})
    )
    for number, (source, spent) in enumerate(zip(chosen, found.sources, strict=False), start=1):
        health = database.read_now(partial(circuit_breaker.get, source=source.name))
        print_row(f"{number}. {source.name}", _state(health), _price(source), _figures(spent))
        if is_vendor(source) and source.verified_on is None:
            click.echo(
                "   Built from the vendor's documents and not tried with a real key: check it "
                "first."
            )


@sources.command()
@click.argument("name")
@click.option(
    "--profile", callback=profile_url, help="URL of a LinkedIn profile: one real lookup is made."
)
@click.option("--type", "email_type", type=click.Choice(["work", "personal"]), default="work")
@click.option("--yes", is_flag=True, help="Do not ask before a lookup that costs something.")
@with_service_database
def check(database: Database, name: str, profile: str | None, email_type: str, yes: bool) -> None:
    """Ask the source NAME for its balance, which is free, and with --profile for one address.

    The address is shown masked, and neither kept nor counted. A source that answers is no longer
    paused. Exit code 1: it does not answer as it should, or has no credit left.
    """
    source = next((one for one in _chosen(database) if one.name == name), None)
    if source is None:
        raise click.UsageError(f"{name} is not in ENRICHMENT_SOURCES: add it there.")
    _require_may_ask(database, source, profile, EmailType(email_type))
    click.echo(f"{name}: {_price(source)}")
    if profile and is_vendor(source) and not yes:
        click.confirm("Make one lookup at this price?", abort=True, err=True)
    outcomes = anyio.run(_tried, database, source, profile, EmailType(email_type))
    if not all(map(_is_healthy, outcomes)):
        raise SystemExit(1)
    if outcomes:
        database.write_now(lambda c: circuit_breaker.close(c, name))


def _require_may_ask(
    database: Database, source: Source, profile: str | None, email_type: EmailType
) -> None:
    """End the command if the source has no such emails, or the person is suppressed."""
    if is_vendor(source) and email_type not in source.email_types:
        raise click.UsageError(f"{source.name} has no {email_type} addresses.")
    if profile and anyio.run(partial(is_suppressed, database, profile=profile)):
        raise click.UsageError(
            "This person is on the suppression list: nobody is asked about them."
        )


async def _tried(
    database: Database, source: Source, profile: str | None, email_type: EmailType
) -> Sequence[Outcome | float]:
    """The balance and the outcome of the source, which are printed too."""
    outcomes: list[Outcome | float] = []
    async with factory.closing_sources([source]):
        if is_vendor(source) and (balance := await source.balance()) is not None:
            outcomes.append(balance)
            left = f"{balance:g}" if isinstance(balance, int | float) else _answer(balance)
            click.echo(f"balance: {left}")
        if profile:
            click.echo("asking …", err=True)
            outcomes.append(answer := await trial_lookup(database, source, profile, email_type))
            click.echo(f"lookup: {_answer(answer)}")
    return outcomes


def _chosen(database: Database) -> Sequence[Source]:
    now = load_settings()
    return factory.create_sources(now.sources, keyless_sources(database), now.vendor_keys)


def _price(source: Source) -> str:
    if not is_vendor(source):
        return "free"
    hit, miss = source.terms.hit, source.terms.miss
    return f"{hit:g} of its credits for an address, {miss:g} for a miss"


def _state(health: Circuit | None) -> str:
    if health is None:
        return "ready"
    reason = PAUSE_REASONS.get(health.reason, health.reason)
    if health.open_until is None or health.open_until <= time.time():
        return f"ready after {health.failures} failures in a row: {reason}"
    return f"paused until {format_time(health.open_until)}: {reason}"


def _figures(row: SourceSpending) -> str:
    return (
        f"asked {row.asked}, {row.found} hits, {row.not_found} misses, {row.lost} answers lost, "
        f"spent {row.credits.normalize():f}, median {format_seconds(row.median_seconds)}"
    )


def _answer(outcome: Outcome) -> str:
    """The outcome of a lookup, with a masked email that only a person who knows it recognises."""
    match outcome:
        case Hit():
            checked = f", checked {format_day(outcome.checked_at)}" if outcome.checked_at else ""
            return f"{masked_address(outcome.email)}, {outcome.verification}{checked}"
        case Miss(reason=Reason.SUPPRESSED):
            return "it has no address that may be given out"
        case Miss():
            return "it has no address"
        case Unavailable():
            return "not available now; nothing was charged"
        case Lost():
            return f"its answer is lost ({outcome.why}); it may have charged"
        case Misconfigured():
            return f"refused ({outcome.reason}); nothing was charged"


def _is_healthy(outcome: Outcome | float) -> bool:
    """Whether the source works, and has credits left."""
    return outcome > 0 if isinstance(outcome, int | float) else isinstance(outcome, Hit | Miss)
