"""The database of the local service, opened for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.db.database import Database


@contextmanager
def service_database() -> Iterator[Database]:
    """The database, for a command that runs where the service runs. Ends the command elsewhere."""
    _require_local()
    with local_database() as database:
        yield database


@contextmanager
def local_database() -> Iterator[Database]:
    """The database of the local service."""
    from mcp_enrichment.app.service import open_database

    database = open_database(load_settings())
    try:
        yield database
    finally:
        database.close()


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    On Postgres this is done once, before the processes of a new version are started. A SQLite file
    is migrated when it is opened.
    """
    from mcp_enrichment.app import service
    from mcp_enrichment.service.db.migrate import HEAD

    service.migrate(load_settings())
    click.echo(f"The database is at revision {HEAD}.")


def _require_local() -> None:
    """End the command if the settings name a service elsewhere."""
    if not load_settings().is_embedded:
        raise click.UsageError(
            "Run this where the service runs, with ENRICHMENT_API_KEY and ENRICHMENT_API_URL "
            "unset. If the keyring holds a key, run `mcp-enrichment key forget` first."
        )
