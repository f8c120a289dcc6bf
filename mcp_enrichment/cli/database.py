"""The database of this machine's service, opened for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import settings
from mcp_enrichment.contract.models import DEFAULT_TEAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.store.database import Database

TEAM = click.option("--team", default=DEFAULT_TEAM, show_default=True, help="Whose.")


@contextmanager
def opened() -> Iterator[Database]:
    """The database, for what is done where the service runs and nowhere else."""
    _require_local()
    with opened_here() as database:
        yield database


@contextmanager
def opened_here() -> Iterator[Database]:
    """The database of this machine's service; closed when the command ends."""
    from mcp_enrichment.compose_service import open_database

    database = open_database(settings())
    try:
        yield database
    finally:
        database.close()


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    On Postgres this is done once, before the processes of a new version are started. A file is
    migrated by whoever opens it.
    """
    from mcp_enrichment import compose_service
    from mcp_enrichment.service.store.migrate import HEAD

    compose_service.migrate(settings())
    click.echo(f"The database is at revision {HEAD}.")


def _require_local() -> None:
    """End the command where the settings name a service elsewhere: it is run there."""
    if not settings().is_embedded:
        raise click.UsageError(
            "This is done where the service runs: unset ENRICHMENT_API_KEY and ENRICHMENT_API_URL, "
            "and where the keyring keeps a key, `mcp-enrichment key forget`."
        )


def when(at: float | None) -> str:
    """A time as people read it, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"
