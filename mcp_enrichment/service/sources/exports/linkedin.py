"""LinkedIn's Connections.csv, as downloaded, unpacked or saved again by Excel."""

from __future__ import annotations

import csv
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from mcp_enrichment.contract.profile_url import ProfileURLRefused, canonical
from mcp_enrichment.service.sources.exports.contact import Contact, Person, Skipped, SkipReason
from mcp_enrichment.service.sources.exports.dates import day_of
from mcp_enrichment.service.sources.exports.header import Header, Row, find_header
from mcp_enrichment.service.sources.exports.mailbox import clean_email, kind_of
from mcp_enrichment.service.sources.exports.opening import Progress, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper
    from pathlib import Path

MAX_LINE = 64 * 2**10
"""Characters; a longer line is read as several. Below the csv module's own limit of a field."""
MAX_LINES_PER_ROW = 10
"""A row that takes more began with a quotation mark that nothing closes."""


def read(path: Path, *, progress: Progress | None = None) -> Iterator[Contact | Skipped]:
    """Give the contacts of an export, and a `Skipped` for each other row, in the file's order.

    `path` is a CSV file or LinkedIn's zip; memory stays bounded for either. `progress` is called
    with the bytes done and their total. Raises `ExportRefused`: before any row where this is no
    such export, and after some where the rest of the file cannot be read.
    """
    with opened(path, progress) as text:
        lines = _lines(text)
        header = find_header(lines, path)
        for line, cells in _rows(lines, header):
            if cells is None:
                yield Skipped(reason=SkipReason.UNREADABLE, line=line)
            else:
                yield _read_row(header.row(cells), line)


def _lines(text: TextIOWrapper) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE), ""):
        yield line.replace("\0", "")


def _rows(lines: Iterator[str], header: Header) -> Iterator[tuple[int, list[str] | None]]:
    """Each row with the line of the file that it begins at; None for one that cannot be read.

    A quotation mark that nothing closes costs its own line alone: what it swallowed is read again.
    """
    done, again = header.line, list[str]()
    while True:
        taken: list[str] = []
        ahead = islice(chain(again, lines), MAX_LINES_PER_ROW + 1)
        cells = _first_row(_noting(ahead, taken), header)
        again = again[len(taken) :]
        if not taken:
            return
        if cells is None or len(taken) > MAX_LINES_PER_ROW:
            again = taken[1:] + again
            cells, taken = None, taken[:1]
        yield done + 1, cells
        done += len(taken)


def _noting(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _first_row(lines: Iterator[str], header: Header) -> list[str] | None:
    try:
        return next(csv.reader(lines, delimiter=header.delimiter), None)
    except csv.Error:
        return None


def _read_row(row: Row, line: int) -> Contact | Skipped:
    if reason := _lack(row):
        return Skipped(reason=reason, line=line, person=_person(row))
    try:
        profile = canonical(row.url)
    except ProfileURLRefused:
        return Skipped(reason=SkipReason.BAD_URL, line=line)
    email = clean_email(row.email)
    if email is None:
        return Skipped(reason=SkipReason.BAD_EMAIL, line=line)
    return Contact(
        profile=profile,
        email=email,
        kind=kind_of(email),
        first_name=row.first_name,
        last_name=row.last_name,
        company=row.company,
        position=row.position,
        connected_on=day_of(row.connected_on),
    )


def _person(row: Row) -> Person | None:
    try:
        profile = canonical(row.url)
    except ProfileURLRefused:
        return None
    return Person(
        profile=profile,
        first_name=row.first_name,
        last_name=row.last_name,
        company=row.company,
    )


def _lack(row: Row) -> SkipReason | None:
    if not any(row):
        return SkipReason.EMPTY_ROW
    if not row.url:
        return SkipReason.NO_URL
    return None if row.email else SkipReason.NO_EMAIL
