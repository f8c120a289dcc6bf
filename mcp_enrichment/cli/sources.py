"""Listing the sources with their statistics, and checking one."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import profile_url, service_database
from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.spending import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.base import Outcome, Source


@click.group()
def sources() -> None:
    """Where addresses come from: the sources of ENRICHMENT_SOURCES."""


sources.add_command(report)


@sources.command("list")
def list_sources() -> None:
    """List the sources in the order of asking: what each was asked, found, and charged.

    Prices and spending are in each vendor's own credits.
    """
    from mcp_enrichment.cli import source_format as lines
    from mcp_enrichment.service.lookup.source_report import source_report

    with service_database() as database:
        for number, source in enumerate(_chosen(database), start=1):
            figures = database.read_now(partial(source_report, source=source.name))
            cells = [lines.state(figures, now=time.time()), lines.price(source)]
            click.echo("\t".join([f"{number}. {source.name}", *cells, lines.figures(figures)]))
            if remark := lines.untested_warning(source):
                click.echo(f"   {remark}")


@sources.command()
@click.argument("name")
@click.option(
    "--profile", callback=profile_url, help="URL of a LinkedIn profile: one real lookup is made."
)
@click.option("--type", "email_type", type=click.Choice(["work", "personal"]), default="work")
@click.option("--yes", is_flag=True, help="Do not ask before a lookup that costs something.")
def check(name: str, profile: str | None, email_type: str, yes: bool) -> None:
    """Ask the source NAME for its balance, which is free, and with --profile for one address.

    The address is shown masked, and neither kept nor counted. A source that answers is no longer
    paused. Exit code 1: it does not answer as it should, or has no credit left.
    """
    import anyio

    from mcp_enrichment.cli import source_format as lines
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.lookup import circuit_breaker
    from mcp_enrichment.service.sources.base import is_vendor

    with service_database() as database:
        source = _named(name, _chosen(database))
        _require_may_ask(database, source, profile, EmailType(email_type))
        click.echo(f"{name}: {lines.price(source)}")
        if profile and is_vendor(source) and not yes:
            click.confirm("Make one lookup at this price?", abort=True, err=True)
        outcomes = anyio.run(_tried, database, source, profile, EmailType(email_type))
        if not all(map(lines.is_healthy, outcomes)):
            raise SystemExit(1)
        if outcomes:
            database.write_now(lambda c: circuit_breaker.close(c, name))


def _named(name: str, among: Sequence[Source]) -> Source:
    for source in among:
        if source.name == name:
            return source
    raise click.UsageError(f"{name} is not in ENRICHMENT_SOURCES: add it there.")


def _require_may_ask(
    database: Database, source: Source, profile: str | None, email_type: EmailType
) -> None:
    """End the command if the source has no such emails, or the person is suppressed."""
    import anyio

    from mcp_enrichment.service.privacy.suppression import is_suppressed
    from mcp_enrichment.service.sources.base import is_vendor

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
    from mcp_enrichment.cli import source_format as lines
    from mcp_enrichment.service.lookup.source_report import balance_of, trial_lookup
    from mcp_enrichment.service.sources.factory import closing_sources

    outcomes: list[Outcome | float] = []
    async with closing_sources([source]):
        if (balance := await balance_of(source)) is not None:
            outcomes.append(balance)
            click.echo(f"balance: {lines.balance(balance)}")
        if profile:
            click.echo("asking …", err=True)
            outcomes.append(answer := await trial_lookup(database, source, profile, email_type))
            click.echo(f"lookup: {lines.answer(answer)}")
    return outcomes


def _chosen(database: Database) -> Sequence[Source]:
    from mcp_enrichment.service.lookup.source_report import keyless_sources
    from mcp_enrichment.service.sources import factory

    now = load_settings()
    return factory.create_sources(now.sources, keyless_sources(database), now.vendor_keys)
