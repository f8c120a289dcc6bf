"""The embedded service's database, opened for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.store.database import Database

TEAM = click.option("--team", default="default", show_default=True, help="Whose.")


@contextmanager
def opened() -> Iterator[Database]:
    """The database, for what is done where the service runs and nowhere else."""
    _require_local()
    with opened_here() as database:
        yield database


@contextmanager
def opened_here() -> Iterator[Database]:
    """The database of this machine's service; closed when the command ends."""
    from mcp_enrichment.service.store.database import open_sqlite

    chosen = settings()
    database = open_sqlite(chosen.database_file, privacy_key=chosen.privacy_secret)
    try:
        yield database
    finally:
        database.close()


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
