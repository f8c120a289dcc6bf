"""Importing and listing contacts, and reporting how often inferred emails are right."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import (
    format_day,
    limit_option,
    local_database,
    print_row,
    reading_bar,
)
from mcp_enrichment.service.contacts import person_records
from mcp_enrichment.service.contacts.contact_import import (
    ImportReport,
    first_contacts,
    import_contacts,
)
from mcp_enrichment.service.sources.exports.formats import InvalidColumnMap, parse_column_map
from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact
from mcp_enrichment.service.sources.inference.accuracy import MIN_PRECISION, MIN_TESTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcp_enrichment.service.sources.exports.formats import ColumnMap
    from mcp_enrichment.service.sources.exports.open_export import Export
    from mcp_enrichment.service.sources.exports.records import Skipped
    from mcp_enrichment.service.sources.inference.accuracy import Accuracy, Tally

DRY_RUN_ROWS = 10
"""Lines that a dry run prints, one for each address."""
MAX_CELL_WIDTH = 60
"""Characters of a cell that a dry run prints."""
ENABLE_INFERENCE = (
    "Addresses are inferred only if you set ENRICHMENT_SOURCES=contacts,inferred. They "
    "are marked as inferred, and cost no credit."
)


@click.group()
def contacts() -> None:
    """Your own contacts: the first source of addresses."""


@contacts.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="url=COLUMN,email=COLUMN",
    help="The columns of any other CSV; also work_email, personal_email, first_name, last_name, "
    "name, company, position, date.",
)
@click.option("--dry-run", is_flag=True, help="Store nothing; show the first rows as understood.")
def import_file(file: Path, pairs: tuple[str, ...], dry_run: bool) -> None:
    """Import an export of LinkedIn, HubSpot, Salesforce, Apollo, Google Contacts or Outlook, or a
    vCard; or the zip that it came in.

    The format is recognised by the content. Repeating an import adds nothing twice.
    """
    with _opened(file, _columns(pairs)) as export:
        lines, report = _preview(export) if dry_run else ([], _store(export))
    click.echo("".join(f"{line}\n" for line in lines), nl=False)
    _print_report(report, dry_run=dry_run)


@contacts.command("list")
@limit_option()
def list_contacts(limit: int) -> None:
    """List the imported contacts that have an address."""
    with local_database() as database:
        rows, total = first_contacts(database, limit)
    for row in rows:
        name = f"{row.first_name} {row.last_name}".strip()
        profile, day = row.linkedin_url or "-", format_day(row.seen_at)
        print_row(name, row.type, row.email, profile, row.source, day)
    if not total:
        click.echo(
            "No contacts yet: run `mcp-enrichment contacts import Connections.csv`.", err=True
        )
    elif total > len(rows):
        click.echo(f"{len(rows)} of {total} contacts; --limit shows more.", err=True)


def _columns(pairs: tuple[str, ...]) -> ColumnMap | None:
    try:
        return parse_column_map(pairs)
    except InvalidColumnMap as refusal:
        raise click.UsageError(f"--map: {refusal}.") from refusal


@contextmanager
def _opened(file: Path, columns: ColumnMap | None) -> Iterator[Export]:
    with reading_bar() as progress, open_export(file, columns=columns, progress=progress) as export:
        yield export


def _store(export: Export) -> ImportReport:
    first = list(islice(export.rows, 1))  # raises for an unknown file before a database is created
    with local_database() as database:
        return import_contacts(database, chain(first, export.rows), source=export.name)


def _preview(export: Export) -> tuple[list[str], ImportReport]:
    first, report = list(islice(export.rows, DRY_RUN_ROWS)), ImportReport()
    for _ in report.contacts_among(chain(first, export.rows)):
        pass
    title = f"Read as {export.name}; the first rows as understood:"
    return [title, *map(_line_on, first)], report


def _line_on(row: Contact | Skipped) -> str:
    if isinstance(row, Contact):
        name = f"{row.first_name} {row.last_name}".strip()
        cells = (name, row.email_type, row.email, row.profile or "-", row.company, row.position)
        return "\t".join((*map(_shortened, cells), format_day(row.seen_at)))
    if row.is_part:
        return f"  left out: {row.reason.text}"
    return f"(line {row.line} skipped: {row.reason.text})"


def _shortened(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL_WIDTH else f"{cell[: MAX_CELL_WIDTH - 1]}…"


def _print_report(report: ImportReport, *, dry_run: bool) -> None:
    click.echo(f"Read {report.read:,} rows.")
    one_each = report.addresses == report.stored
    addresses = "an address" if one_each else f"{report.addresses:,} addresses"
    what = f"{report.stored:,} with {addresses}"
    if dry_run:
        click.echo(f"Would store {what}.")
    else:
        click.echo(f"Stored {what}, {report.new:,} of them new.")
    for reason, rows in report.left_out.most_common():
        click.echo(f"Of those, {rows:,} came {reason.text}.")
    for reason, rows in report.skipped.most_common():
        click.echo(f"Skipped {rows:,} {reason.text}.")
    if dry_run:
        click.echo("This was a dry run: nothing was stored.")


@contacts.command()
def report() -> None:
    """Report how often inferred addresses are right, measured on your own contacts.

    Each known work address is left out in turn, inferred from the others, and compared.
    """
    with local_database() as database:
        found = person_records.figures(database)
    for line in _accuracy_lines(found):
        click.echo(line)


def _accuracy_lines(figures: Accuracy) -> Iterator[str]:
    tested = sum(tally.tested for tally in figures.by_level().values())
    yield f"{figures.known:,} known work addresses of people with a name, each left out in turn:"
    yield f"{tested:,} could be inferred from the others."
    if tested:
        yield ""
        yield from _accuracy_table("how many colleagues agree", figures.by_level(), {})
        yield ""
        yield from _accuracy_table(
            "pattern (of precise levels)", figures.by_pattern(), figures.domains
        )
    yield ""
    yield _offered(figures)
    yield ENABLE_INFERENCE


def _accuracy_table(
    title: str, tallies: Mapping[str, Tally], domains: Mapping[str, int]
) -> Iterator[str]:
    yield f"{title:46}  inferred   right  precise" + "  domains" * bool(domains)
    for name, tally in sorted(tallies.items(), key=lambda each: -each[1].tested):
        right, precise = f"{tally.precision:.1%}", "yes" if tally.is_precise else "no"
        if not tally.tested:
            right = precise = "-"
        row = f"{name:46}  {tally.tested:8,}  {right:>6}  {precise:>7}"
        yield row + (f"  {domains.get(name, 0):7,}" if domains else "")


def _offered(figures: Accuracy) -> str:
    offered = figures.offered()
    if not offered.tested:
        return (
            f"Nothing is offered: no level has {MIN_TESTED} inferred addresses of which "
            f"{MIN_PRECISION:.0%} are right."
        )
    part = offered.tested / figures.known
    return (
        f"Offered: precision {offered.precision:.1%}, coverage {part:.1%} "
        f"({offered.right:,} of {offered.tested:,} right). Below {MIN_PRECISION:.0%} nothing is."
    )
