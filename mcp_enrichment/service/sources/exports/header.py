"""Where LinkedIn's table begins in a file, and which of its columns is which."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.contact import ExportRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER_WITHIN_LINES = 200
HEADER_WITHIN_CHARS = 64 * 2**10
"""A file that has no header in both is another file; LinkedIn's own notes take 3 lines."""


class Row(NamedTuple):
    """A row's texts, trimmed; empty where the file has no such cell."""

    first_name: str
    last_name: str
    url: str
    email: str
    company: str
    position: str
    connected_on: str


_TITLES = (
    ("First Name", "Last Name", "URL", "Email Address", "Company", "Position", "Connected On"),
    ("Vorname", "Nachname", "URL", "E-Mail-Adresse", "Unternehmen", "Position", "Verbunden am"),
)
_FIELD_OF = {
    title.casefold(): field
    for titles in _TITLES
    for field, title in zip(Row._fields, titles, strict=True)
}
# What tells this export from others: older ones have no URL, and people delete other columns.
_SIGNATURE = {"first_name", "email", "connected_on"}
_DELIMITERS = ",;\t"
# Controls, and the marks that embed, override and isolate directions; not the joiners that names in
# Persian and in Indian scripts are spelled with.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """How the rows below it are to be read."""

    line: int
    """Which line of the file it is, from 1."""
    delimiter: str
    places: tuple[int | None, ...]
    """Where a row has each field of `Row`."""

    def row(self, cells: list[str]) -> Row:
        """Arrange the cells of one row, which may be too few or too many."""
        width = len(cells)
        return Row._make(
            _clean(cells[place]) if place is not None and place < width else ""
            for place in self.places
        )


def _clean(cell: str) -> str:
    """Trimmed, and without what moves a terminal's cursor or turns the direction of its text."""
    return _UNPRINTABLE.sub("", " ".join(cell.split()))


def find_header(lines: Iterator[str], path: Path) -> Header:
    """Take lines up to the header, or raise `ExportRefused`; `path` is for its words."""
    chars = 0
    for number, line in enumerate(islice(lines, HEADER_WITHIN_LINES), start=1):
        if header := _header(line, number):
            return header
        chars += len(line)
        if chars > HEADER_WITHIN_CHARS:
            break
    raise ExportRefused.because(path, "is not LinkedIn's list of connections")


def _header(line: str, number: int) -> Header | None:
    for delimiter in _DELIMITERS:
        titles = next(csv.reader([line], delimiter=delimiter), [])
        fields = [_FIELD_OF.get(" ".join(title.split()).casefold()) for title in titles]
        if _SIGNATURE.issubset(fields):
            places = tuple(fields.index(f) if f in fields else None for f in Row._fields)
            return Header(line=number, delimiter=delimiter, places=places)
    return None
