"""Teams, their API keys and their credits."""

from __future__ import annotations

import time
from functools import partial

import click

from mcp_enrichment.cli.common import call_with_client, format_time, service_database, team_option

MAX_AMOUNT = 1_000_000
"""A limit for typing errors."""


@click.group()
def teams() -> None:
    """The teams that share this service."""


@teams.command("add")
@click.argument("name")
@click.option("--credits", "amount", default=0, show_default=True, type=click.IntRange(0, 10**9))
def add_team(name: str, amount: int) -> None:
    """Add a team."""
    from mcp_enrichment.service.accounts.teams import add

    with service_database() as database:
        database.write_now(lambda c: add(c, name, amount, at=time.time()))
    click.echo(f"Added {name} with {amount} credits. Next: mcp-enrichment keys create {name!r}")


@teams.command("list")
def list_teams() -> None:
    """List the teams with their credits."""
    from mcp_enrichment.service.accounts.teams import list_all

    with service_database() as database:
        found = database.read_now(list_all)
    for team in found:
        click.echo(f"{team.name}\t{team.available} available\t{team.held} held")


@teams.command("secret")
@click.argument("name")
@click.option("--rotate", is_flag=True, help="Make a new one; the last one stays valid beside it.")
def show_secret(name: str, rotate: bool) -> None:
    """Show the secrets that sign the team's callbacks, the newest first."""
    from mcp_enrichment.service.accounts.teams import rotate_secret, signing_secrets, team_id_of

    with service_database() as database:
        team_id = database.read_now(lambda c: team_id_of(c, name))
        if rotate:
            database.write_now(lambda c: rotate_secret(c, team_id, at=time.time()))
        valid = database.write_now(lambda c: signing_secrets(c, team_id, at=time.time()))
    for secret in valid:
        click.echo(secret)


@click.group()
def keys() -> None:
    """The API keys of the teams."""


@keys.command("create")
@click.argument("team")
def create_key(team: str) -> None:
    """Make a key for TEAM. It is shown this once."""
    from mcp_enrichment.service.accounts import api_keys

    with service_database() as database:
        made = database.write_now(partial(api_keys.create, team=team, at=time.time()))
    click.echo(made.key)
    click.echo("Keep it now: only its hash is stored, and it cannot be shown again.", err=True)


@keys.command("list")
def list_keys() -> None:
    """List the keys by id; the keys themselves are not stored."""
    from mcp_enrichment.service.accounts import api_keys

    with service_database() as database:
        found = database.read_now(api_keys.list_all)
    for key in found:
        state = f"revoked {format_time(key.revoked_at)}" if key.revoked_at else "valid"
        click.echo(f"{key.id}\t{key.team}\tmade {format_time(key.created_at)}\t{state}")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke the key with this id, at once and for good; `keys list` shows the ids."""
    from mcp_enrichment.service.accounts import api_keys

    with service_database() as database:
        ended = database.write_now(lambda c: api_keys.revoke(c, key_id, at=time.time()))
    if not ended:
        raise click.ClickException("There is no valid key with this id: `keys list` shows them.")
    click.echo(f"Revoked {key_id}.")


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
    from mcp_enrichment.service.billing import ledger

    with service_database() as database:
        now = database.write_now(
            lambda c: ledger.grant(c, local_team(c, team, at=time.time()), amount, at=time.time())
        )
    click.echo(now.available)


@credits_group.command(context_settings={"ignore_unknown_options": True})
@click.argument("amount", type=click.IntRange(-MAX_AMOUNT, MAX_AMOUNT))
@click.option("--reason", required=True, help="Why; recorded in the ledger.")
@team_option
def correct(amount: int, reason: str, team: str) -> None:
    """Add AMOUNT credits, or take them away if it is negative, to correct a mistake."""
    from mcp_enrichment.service.accounts.teams import local_team
    from mcp_enrichment.service.billing import ledger

    with service_database() as database:
        now = database.write_now(
            lambda c: ledger.correct(
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
