"""Teams, their API keys and their credits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import (
    call_with_client,
    format_time,
    limit_option,
    print_row,
    team_option,
    with_service_database,
)
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.accounts import teams as team_store
from mcp_enrichment.service.billing import ledger

if TYPE_CHECKING:
    from mcp_enrichment.service.db.database import Database


@click.group()
def teams() -> None:
    """The teams that share this service."""


@teams.command("add")
@click.argument("name")
@click.option("--credits", "amount", default=0, show_default=True, type=click.IntRange(0, 10**9))
@with_service_database
def add_team(database: Database, name: str, amount: int) -> None:
    """Add a team."""
    database.write_now(lambda c: team_store.add(c, name, amount, at=time.time()))
    click.echo(f"Added {name} with {amount} credits. Next: mcp-enrichment keys create {name!r}")


@teams.command("list")
@with_service_database
def list_teams(database: Database) -> None:
    """List the teams with their credits."""
    for team in database.read_now(team_store.list_all):
        print_row(team.name, f"{team.available} available", f"{team.held} held")


@teams.command("secret")
@click.argument("name")
@click.option("--rotate", is_flag=True, help="Make a new one; the last one stays valid beside it.")
@with_service_database
def show_secret(database: Database, name: str, rotate: bool) -> None:
    """Show the secrets that sign the team's callbacks, the newest first."""
    team_id = database.read_now(lambda c: team_store.team_id_of(c, name))
    if rotate:
        database.write_now(lambda c: team_store.rotate_secret(c, team_id, at=time.time()))
    valid = database.write_now(lambda c: team_store.signing_secrets(c, team_id, at=time.time()))
    for secret in valid:
        click.echo(secret)


@click.group()
def keys() -> None:
    """The API keys of the teams."""


@keys.command("create")
@click.argument("team", required=False)
@click.option("--operator", is_flag=True, help="For a person who runs the service, in its console.")
@with_service_database
def create_key(database: Database, team: str | None, operator: bool) -> None:
    """Make a key for TEAM, or for an operator. It is shown this once."""
    if operator is (team is not None):
        raise click.UsageError("Name a team, or pass --operator.")
    made = database.write_now(lambda c: api_keys.create(c, team, at=time.time()))
    click.echo(made.key)
    click.echo("Keep it now: only its hash is stored, and it cannot be shown again.", err=True)


@keys.command("list")
@with_service_database
def list_keys(database: Database) -> None:
    """List the keys by id; the keys themselves are not stored."""
    for key in database.read_now(api_keys.list_all):
        state = f"revoked {format_time(key.revoked_at)}" if key.revoked_at else "valid"
        print_row(key.id, key.team or "(operator)", f"made {format_time(key.created_at)}", state)


@keys.command("revoke")
@click.argument("key_id")
@with_service_database
def revoke_key(database: Database, key_id: str) -> None:
    """Revoke the key with this id, at once and for good; `keys list` shows the ids."""
    if not database.write_now(lambda c: api_keys.revoke(c, key_id, at=time.time())):
        raise click.ClickException("There is no valid key with this id: `keys list` shows them.")
    click.echo(f"Revoked {key_id}.")


@click.group("credits", invoke_without_command=True)
@click.pass_context
def credits_group(context: click.Context) -> None:
    """Show the credits that are left."""
    if context.invoked_subcommand is None:
        click.echo(call_with_client(lambda client: client.credits()).balance)


@credits_group.command()
@click.argument("amount", type=click.IntRange(1, ledger.MAX_AMOUNT))
@team_option
@with_service_database
def grant(database: Database, amount: int, team: str) -> None:
    """Add AMOUNT credits."""
    at = time.time()
    balance = database.write_now(
        lambda c: ledger.grant(c, team_store.local_team(c, team, at=at), amount, at=at)
    )
    click.echo(balance.available)


@credits_group.command(context_settings={"ignore_unknown_options": True})
@click.argument("amount", type=click.IntRange(-ledger.MAX_AMOUNT, ledger.MAX_AMOUNT))
@click.option("--reason", required=True, help="Why; recorded in the ledger.")
@team_option
@with_service_database
def correct(database: Database, amount: int, reason: str, team: str) -> None:
    """Add AMOUNT credits, or take them away if it is negative, to correct a mistake."""
    at = time.time()
    balance = database.write_now(
        lambda c: ledger.correct(
            c, team_store.local_team(c, team, at=at), amount, at=at, reason=reason
        )
    )
    click.echo(balance.available)


@credits_group.command()
@limit_option()
@team_option
@with_service_database
def history(database: Database, limit: int, team: str) -> None:
    """List the movements that explain the balance, the newest first."""
    entries = database.write_now(
        lambda c: ledger.history(c, team_store.local_team(c, team, at=time.time()), limit=limit)
    )
    for entry in entries:
        movement, available = f"{entry.kind} {entry.amount}", f"{entry.available_after} available"
        why = entry.reason or entry.request_id or ""
        print_row(format_time(entry.at), movement, available, why)
