"""The balance and its history, grants and corrections."""

from __future__ import annotations

import time

import click

from mcp_enrichment.cli.client_call import call_with_client
from mcp_enrichment.cli.common import format_time, team_option
from mcp_enrichment.cli.database import service_database

MAX_AMOUNT = 1_000_000
"""A limit for typing errors."""


@click.group("credits", invoke_without_command=True)
@click.pass_context
def credits_group(context: click.Context) -> None:
    """Show the credits that are left."""
    if context.invoked_subcommand is None:
        click.echo(call_with_client(lambda client: client.credits()).balance)


@credits_group.command()
@click.argument("amount", type=click.IntRange(1, MAX_AMOUNT))
@team_option
def grant(amount: int, team: str) -> None:
    """Add AMOUNT credits."""
    from mcp_enrichment.service.accounts.teams import local_team
    from mcp_enrichment.service.billing import credits  # noqa: A004 (the module)

    with service_database() as database:
        now = database.write_now(
            lambda c: credits.grant(c, local_team(c, team, at=time.time()), amount, at=time.time())
        )
    click.echo(now.available)


@credits_group.command(context_settings={"ignore_unknown_options": True})
@click.argument("amount", type=click.IntRange(-MAX_AMOUNT, MAX_AMOUNT))
@click.option("--reason", required=True, help="Why; recorded in the ledger.")
@team_option
def correct(amount: int, reason: str, team: str) -> None:
    """Add AMOUNT credits, or take them away if it is negative, to correct a mistake."""
    from mcp_enrichment.service.accounts.teams import local_team
    from mcp_enrichment.service.billing import credits  # noqa: A004 (the module)

    with service_database() as database:
        now = database.write_now(
            lambda c: credits.correct(
                c, local_team(c, team, at=time.time()), amount, at=time.time(), reason=reason
            )
        )
    click.echo(now.available)


@credits_group.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@team_option
def history(limit: int, team: str) -> None:
    """List the movements that explain the balance, the newest first."""
    from mcp_enrichment.service.accounts.teams import local_team
    from mcp_enrichment.service.billing import ledger

    with service_database() as database:
        entries = database.write_now(
            lambda c: ledger.history(c, local_team(c, team, at=time.time()), limit=limit)
        )
    for entry in entries:
        why = entry.reason or entry.request_id or ""
        signed = f"{entry.kind} {entry.amount}"
        click.echo(f"{format_time(entry.at)}\t{signed}\t{entry.available_after} available\t{why}")
