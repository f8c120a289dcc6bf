"""Teams and their API keys."""

from __future__ import annotations

import time
from functools import partial

import click

from mcp_enrichment.cli.common import format_time
from mcp_enrichment.cli.database import service_database


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
