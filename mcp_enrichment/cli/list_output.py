"""Writes a list with its answers: as CSV, JSON Lines or a table."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click

from mcp_enrichment.cli.common import format_day
from mcp_enrichment.cli.list_table import Answer
from mcp_enrichment.cli.tables import csv_cell, new_table, print_table
from mcp_enrichment.contract.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mcp_enrichment.cli.list_table import AnsweredRow, ListTable

ADDED = Answer._fields
"""The columns that are added to those of the input."""
TABLE_ROWS = 1000
"""Rows that a table shows."""
MAX_LINE = 2**20
"""Characters of an existing output's first line that are read."""
_PREFIX = "https://www.linkedin.com/in/"


class OutputFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    TABLE = "table"


def output_lines(table: ListTable, form: OutputFormat) -> Iterator[str]:
    """The lines of the output: CSV begins with a header; in JSON Lines each row has all keys."""
    kept, added = _columns(table)
    if form is OutputFormat.JSONL:
        keys = _unique([title or f"column_{n}" for n, title in enumerate(kept, start=1)])
        for row in table.answered():
            cells = dict(zip(keys, _cells(row, len(keys)), strict=True))
            answer = dict(zip(added, _values(row.answer), strict=True))
            yield json.dumps({**cells, **answer}, ensure_ascii=False) + "\n"
        return
    line = _CsvLine(table.delimiter)
    yield line([*kept, *added])
    # The cells of a file stay as they are: they may be numbers. Those of cards are others' text.
    of_input = csv_cell if table.is_card else str
    for row in table.answered():
        values = ("" if value is None else csv_cell(str(value)) for value in _values(row.answer))
        yield line([*map(of_input, _cells(row, len(kept))), *values])


def check_output(out: Path, source: Path | None, table: ListTable, form: OutputFormat) -> None:
    """Raise `click.UsageError` if the output cannot be written, or would replace any file but an
    earlier output of this input."""
    folder = Path(os.path.realpath(out)).parent  # of the file that a link names
    if source and out.exists() and out.samefile(source):
        raise click.UsageError(f"--out: {out} is the input. Name another file.")
    if str(out) == "-" or (out.exists() and not out.is_file()):
        raise click.UsageError(f"--out: {out} is not a file. Without --out, stdout is written.")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(f"--out: nothing can be written to the folder {folder}.")
    if out.exists() and not _is_earlier(out, table, form):
        raise click.UsageError(
            f"--out: {out} is not an earlier output of this list, so it is not replaced. Remove it "
            "or name another file."
        )


def save(out: Path, lines: Iterable[str]) -> None:
    """Write the file whole or not at all. Raises `CommandError`."""
    target = Path(os.path.realpath(out))  # a link stays a link
    with _readable_failures(str(out)):
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "w", 1 << 16, "utf-8", "backslashreplace", "") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)


def print_lines(lines: Iterable[str]) -> None:
    """Write to stdout. Raises `CommandError`."""
    with _readable_failures("The output"):
        sys.stdout.writelines(lines)
        sys.stdout.flush()


def print_answers(table: ListTable) -> None:
    """Print the profiles with their answers as a table."""
    shown = new_table()
    for title in ("profile", *ADDED):
        shown.add_column(title)
    for row in islice(table.answered(), TABLE_ROWS):
        day = format_day(row.answer.checked_at) if row.answer.checked_at else None
        values = row.answer._replace(checked_at=None)._asdict() | {"checked_at": day}
        name = unquote((row.profile or "").removeprefix(_PREFIX))
        shown.add_row(name, *("" if value is None else str(value) for value in values.values()))
    print_table(shown)
    if table.rows > TABLE_ROWS:
        click.echo(f"… and {table.rows - TABLE_ROWS:,} more: --out FILE writes all.")


def _columns(table: ListTable) -> tuple[Sequence[str], Sequence[str]]:
    """The titles of the input's columns, without those of an earlier output, and of ours."""
    before = table.titles[: -len(ADDED)]
    if [*table.titles] == [*before, *_added_to(before)]:
        return before, _added_to(before)
    kept = [*table.titles, *[""] * (table.width - len(table.titles))]
    return kept, _added_to(kept)


def _added_to(titles: Sequence[str]) -> Sequence[str]:
    return _unique([*(" ".join(title.split()).casefold() for title in titles), *ADDED])[
        len(titles) :
    ]


def _unique(titles: Iterable[str]) -> Sequence[str]:
    """The titles, with `_2` and so on at the end of those that were there before."""
    unique: dict[str, None] = {}
    for title in titles:
        names = (f"{title}_{n}" if n > 1 else title for n in count(1))
        unique[next(name for name in names if name not in unique)] = None
    return list(unique)


def _cells(row: AnsweredRow, width: int) -> Sequence[str]:
    return [*row.cells[:width], *[""] * (width - len(row.cells))]


def _values(answer: Answer) -> Sequence[str | int | None]:
    at = answer.checked_at
    checked = at and datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return list((answer._asdict() | {"checked_at": checked}).values())


class _CsvLine:
    """Writes cells as a line."""

    def __init__(self, delimiter: str) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")

    def __call__(self, cells: Iterable[str]) -> str:
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerow(cells)
        return self._text.getvalue()


def _is_earlier(out: Path, table: ListTable, form: OutputFormat) -> bool:
    """Whether the file is empty, or its first line has the columns of our output."""
    with out.open(encoding="utf-8", errors="replace", newline="") as file:
        written = file.readline(MAX_LINE)
    ours = next(output_lines(table, form), "")
    if not written or form is OutputFormat.CSV:
        return written in ("", ours)
    try:
        return list(json.loads(written)) == list(json.loads(ours or "[]"))
    except (ValueError, TypeError):
        return False


@contextmanager
def _readable_failures(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the output is gone: the command ends silently
    except OSError as error:
        raise CommandError(
            f"{name} cannot be written: {error.strerror or type(error).__name__}. The answers are "
            "remembered: free space or name another file, then run the same command again. It "
            "costs nothing."
        ) from error
