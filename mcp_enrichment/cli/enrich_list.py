"""Looks up the emails of a list of people: reads, previews, asks, requests, and writes."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.common import call_with_client, reading_bar
from mcp_enrichment.cli.list_lookup import ListLookup
from mcp_enrichment.cli.list_output import (
    OutputFormat,
    check_output,
    output_lines,
    print_answers,
    print_lines,
    save,
)
from mcp_enrichment.cli.list_progress import progress_bar
from mcp_enrichment.cli.list_table import ListTable
from mcp_enrichment.cli.signals import endings_as_ctrl_c
from mcp_enrichment.client.state.spending import CreditCap
from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.service.sources.exports.formats import InvalidColumnMap
from mcp_enrichment.service.sources.exports.raw_rows import open_rows, parse_profile_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.lists import ListPreview
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.exports.formats import ColumnMap

EXIT_OPEN, EXIT_INTERRUPTED = 4, 130
STDIN = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListOptions:
    """The options of the command."""

    source: str
    """A file, or `STDIN`."""
    email_type: EmailType
    out: Path | None
    column: str | None
    form: str | None
    max_credits: int | None
    is_confirmed: bool

    @property
    def format(self) -> OutputFormat:
        """As given, else by the name of the output, else by whether a person reads stdout."""
        if self.form:
            return OutputFormat(self.form)
        if self.out:
            return OutputFormat.JSONL if self.out.suffix == ".jsonl" else OutputFormat.CSV
        return OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.CSV


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """The rows of the list by their answers so far, and the cost of the rest."""

    counts: ListPreview
    spent: int
    """Credits that earlier runs of this list have cost, or may still cost."""
    cap: CreditCap
    """Of all runs of the list."""
    cost: str
    """The most that this run can cost, in words."""

    @property
    def most(self) -> int:
        """The most credits that this run can cost."""
        return max(self.cap.max_credits - self.spent, 0)


def enrich_list(options: ListOptions) -> None:
    """Run the command. Exits with its code."""
    if options.out and options.format is OutputFormat.TABLE:
        raise click.UsageError("--format: a table is not written to a file. Use csv or jsonl.")
    with endings_as_ctrl_c(), closing(ListTable()) as table:
        identity = _read(options, table)
        if options.out:
            source = None if options.source == STDIN else Path(options.source)
            check_output(options.out, source, table, options.format)
        out = os.path.realpath(options.out) if options.out else ""
        list_id = sha256_of("list", identity, out, options.email_type)
        preview = call_with_client(lambda client: _preview(client, options, table, list_id))
        _confirm(options, table, preview)
        _look_up(options, table, preview)


def _read(options: ListOptions, table: ListTable) -> str:
    """Read the input; return what identifies it: the path of a file, or the content of stdin."""
    column = _column(options.column)
    with ExitStack() as stack:
        if options.source != STDIN:
            path = Path(options.source)
            identity = os.path.realpath(path)
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcp-enrichment-"))
            path = Path(folder, "stdin")
            identity = _spool(path)
        progress = stack.enter_context(reading_bar())
        table.read(stack.enter_context(open_rows(path, column=column, progress=progress)))
    return identity


def _column(text: str | None) -> ColumnMap | None:
    try:
        return None if text is None else parse_profile_column(text)
    except InvalidColumnMap as refusal:
        raise click.UsageError(f"--map: {refusal}.") from refusal


def _spool(path: Path) -> str:
    """Write stdin to the file; return its hash."""
    with path.open("w+b") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _preview(
    client: EnrichmentClient, options: ListOptions, table: ListTable, list_id: str
) -> Preview:
    counts = await client.preview_many(table.profiles(), options.email_type)
    spent = await client.list_credits(list_id)
    most = spent + counts.new
    if options.max_credits is not None:
        most = min(most, options.max_credits)
    left = max(most - spent, 0)
    money = client.cost(left)
    return Preview(
        counts=counts,
        spent=spent,
        cap=CreditCap(list_id=list_id, max_credits=most),
        cost=f"{left:,} credits ({money})" if money else f"{left:,} credits",
    )


def _confirm(options: ListOptions, table: ListTable, preview: Preview) -> None:
    """Say what is looked up and what it can cost; ask before anything is spent."""
    for line in _preview_lines(table, preview):
        click.echo(line, err=True)
    if options.is_confirmed or not preview.most:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Nobody can be asked here, so nothing was requested. Add --yes if it may cost that; "
            "--max-credits N bounds it."
        )
    click.confirm("Look them up?", abort=True, err=True)


def _preview_lines(table: ListTable, preview: Preview) -> Iterator[str]:
    counts = preview.counts
    repeated = table.rows - table.people - table.without_profile
    yield (
        f"{table.rows:,} rows: {table.people:,} people, {repeated:,} repeated, "
        f"{table.without_profile:,} without a profile."
    )
    yield (
        f"{counts.known:,} are known, {counts.running:,} are being looked up, "
        f"{counts.new:,} are new."
    )
    yield f"This can cost {preview.cost}: one for each address found."
    if counts.unknown:
        yield (
            f"{counts.unknown:,} are not requested again: nobody knows whether an earlier request "
            "was charged."
        )
    if preview.spent:
        yield f"Earlier runs of this list have cost up to {preview.spent:,} credits."


def _look_up(options: ListOptions, table: ListTable, preview: Preview) -> None:
    lookup, failure, is_interrupted = ListLookup(table), None, False
    with progress_bar(lookup) as show:
        try:
            call_with_client(
                lambda client: lookup.run(client, options.email_type, preview.cap, show)
            )
        except KeyboardInterrupt:
            is_interrupted = True
        except EnrichmentError as error:
            failure = error
    is_written = bool(lookup.answered) or not (failure or is_interrupted)
    if is_written:
        _write(options, table)
    for line in _summary_lines(lookup, options.out if is_written else None):
        click.echo(line, err=True)
    if failure:
        raise failure
    if is_interrupted or lookup.open:
        sys.exit(EXIT_INTERRUPTED if is_interrupted else EXIT_OPEN)


def _write(options: ListOptions, table: ListTable) -> None:
    if options.format is OutputFormat.TABLE:
        print_answers(table)
    elif options.out:
        save(options.out, output_lines(table, options.format))
    else:
        print_lines(output_lines(table, options.format))


def _summary_lines(lookup: ListLookup, written: Path | None) -> Iterator[str]:
    perhaps = f", and up to {lookup.unknown:,} more: nobody knows" if lookup.unknown else ""
    yield (
        f"Found {lookup.found:,}, missed {lookup.missed:,}, failed {lookup.failed:,}, "
        f"open {lookup.open:,}. Spent {lookup.spent:,} credits{perhaps}."
    )
    if written:
        yield f"Written to {written}."
    if lookup.refusal:
        yield f"Not all could be looked up: {lookup.refusal.to_person()}"
    if lookup.open:
        yield "The same command again goes on from here."
