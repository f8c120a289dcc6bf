"""Listing callbacks, and delivering them again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import (
    format_time,
    limit_option,
    print_row,
    team_option,
    with_service_database,
)
from mcp_enrichment.service.accounts.teams import team_id_of
from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.callbacks.callback_job import redeliver

if TYPE_CHECKING:
    from mcp_enrichment.service.db.database import Database

MAX_ATTEMPT_SECONDS = 15.0
"""Seconds. An older attempt without an outcome was cut off with its process."""


@click.group()
def callbacks() -> None:
    """Callbacks: what was delivered, and what could not be."""


@callbacks.command("list")
@team_option
@limit_option(10_000)
@with_service_database
def list_callbacks(database: Database, team: str, limit: int) -> None:
    """List the callbacks, those attempted last first."""
    found = database.read_now(
        lambda c: callback_table.deliveries(c, team_id=team_id_of(c, team), limit=limit)
    )
    for one in found:
        status = f" ({one.http_status})" if one.http_status else ""
        outcome = f"{one.outcome or _open_attempt(one.at)}{status}"
        print_row(one.id, one.request_id, f"{one.attempts} attempts", outcome, format_time(one.at))


def _open_attempt(began: float | None) -> str:
    if began is None:
        return "no attempt yet"
    return "under way" if time.time() - began < MAX_ATTEMPT_SECONDS else "interrupted"


@callbacks.command("retry")
@team_option
@click.argument("callback_id", metavar="ID")
@with_service_database
def retry(database: Database, team: str, callback_id: str) -> None:
    """Have the running service deliver the callback ID again, with three new attempts."""
    queue = database.queue
    database.write_now(
        lambda c: redeliver(c, queue, team_id_of(c, team), callback_id, at=time.time())
    )
    click.echo("It will be delivered by the running service, or when one is started.")
