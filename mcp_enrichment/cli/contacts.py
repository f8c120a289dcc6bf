"""Importing and listing contacts."""

from __future__ import annotations

import sys
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.database import opened_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_enrichment.service.domain.contacts import ImportReport

WHY_SKIPPED = {
    "no-email": "without an email (most connections do not share theirs)",
    "no-url": "without a profile URL",
    "bad-url": "with a URL that is no person's profile",
    "bad-email": "with an email that cannot be one",
    "empty-row": "empty",
    "unreadable": "unreadable",
    "suppressed": "on the suppression list",
}


@click.group()
def contacts() -> None:
    """Your own contacts: the first source of addresses."""


@contacts.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_file(file: Path) -> None:
    """Import LinkedIn's Connections.csv, or the zip that LinkedIn sends.

    Repeating an import adds nothing twice. Get the file in LinkedIn under Settings & Privacy >
    Data privacy > Get a copy of your data > Connections.
    """
    from mcp_enrichment.service.sources.exports.contact import ExportRefused

    try:
        with click.progressbar(length=1, label="Reading", file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            report = _imported(file, progress)
    except ExportRefused as refusal:
        raise click.ClickException(str(refusal)) from refusal
    _tell(report)


@contacts.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
def list_contacts(limit: int) -> None:
    """List the imported contacts that have an address."""
    from mcp_enrichment.service.domain.contacts import first_contacts

    with opened_here() as database:
        rows, total = first_contacts(database, limit)
    for row in rows:
        name = f"{row.first_name} {row.last_name}".strip()
        click.echo(f"{name}\t{row.type}\t{row.email}\t{row.linkedin_url}")
    if not total:
        click.echo(
            "No contacts yet: run `mcp-enrichment contacts import Connections.csv`.", err=True
        )
    elif total > len(rows):
        click.echo(f"{len(rows)} of {total} contacts; --limit shows more.", err=True)


def _imported(file: Path, progress: Callable[[int, int], None]) -> ImportReport:
    from mcp_enrichment.service.domain.contacts import import_contacts
    from mcp_enrichment.service.sources.exports import linkedin

    rows = linkedin.read(file, progress=progress)
    first = list(islice(rows, 1))  # refuses another file before a database is made for it
    with opened_here() as database:
        return import_contacts(database, chain(first, rows), source="linkedin")


def _tell(report: ImportReport) -> None:
    click.echo(f"Read {report.read:,} rows.")
    click.echo(f"Stored {report.stored:,} with an address, {report.new:,} of them new.")
    for reason, rows in report.skipped.most_common():
        click.echo(f"Skipped {rows:,} {WHY_SKIPPED[reason]}.")
