"""CSV tables: the header with the places of its columns, and the rows below it."""

from __future__ import annotations

import csv
import re
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.cells import (
    names_other_entity,
    names_other_person,
    profile_url_for,
)
from mcp_enrichment.service.sources.exports.email_address import email_type_of_label
from mcp_enrichment.service.sources.exports.formats import ColumnMap, Titles, fold_title
from mcp_enrichment.service.sources.exports.records import RawEmail, RawRow, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.contract.models import EmailType


MAX_HEADER_LINES = 200
MAX_HEADER_CHARS = 64 * 2**10
"""The header must be within both limits. LinkedIn's notes before it take 3 lines."""

MAX_ROW = 2**20
"""Characters of a row. A longer row started with an unclosed quotation mark."""

DELIMITERS = ",;\t|"
_ABSENT = -1
"""The place of an absent column: each row gets an empty cell at its end."""
_LINKEDIN = "linkedin"
_IN_ANY_HEADER = "mail"
_END = "end of the row"
_HANDLE = re.compile(r"handle|slug|vanity|(?:user|screen|account).?name|username|\bids?\b|_id\b")
"""Words in a title with LinkedIn's name that mean an account name instead of a URL."""
_DOUBTFUL = frozenset({"guessed", "extrapolated", "unavailable", "invalid", "bounced"})


class _SitePlace(NamedTuple):
    cell: int
    label: int
    is_handle: bool


class _EmailPlace(NamedTuple):
    cell: int
    email_type: EmailType | None
    label: int
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    format: ColumnMap
    delimiter: str
    line: int
    """The line number of the header, from 1."""
    width: int
    texts: tuple[int, ...]
    """The places of the first seven fields of `RawRow`."""
    profiles: tuple[int, ...]
    websites: tuple[_SitePlace, ...]
    emails: tuple[_EmailPlace, ...]

    def raw(self, cells: list[str]) -> RawRow:
        """Arrange the cells of a row, which may have too few or too many."""
        cells = cells[: self.width]
        cells += [""] * (self.width - len(cells) + 1)
        urls = [cells[place] for place in self.profiles if cells[place]]
        urls += [u for place in self.websites if cells[place.cell] and (u := _site(cells, place))]
        emails = [_email(cells, place) for place in self.emails if cells[place.cell].strip()]
        first, last, full, company, position, connected, changed = (cells[p] for p in self.texts)
        return RawRow(first, last, full, company, position, connected, changed, urls, emails)


def _email(cells: list[str], place: _EmailPlace) -> RawEmail:
    label = cells[place.label]
    return RawEmail(
        text=cells[place.cell],
        email_type=place.email_type if place.label == _ABSENT else email_type_of_label(label),
        is_doubtful=cells[place.status].strip().casefold() in _DOUBTFUL,
        is_others=names_other_person(label),
    )


def _site(cells: list[str], place: _SitePlace) -> str:
    """The cell, if it may be the profile of the row's person, else empty."""
    cell, label = cells[place.cell], cells[place.label].casefold()
    if names_other_person(label):
        return ""
    if place.is_handle or _LINKEDIN in label:
        return profile_url_for(cell)
    return cell if f"{_LINKEDIN}." in cell.lower() else ""


def find_layout(lines: Iterator[str], formats: Sequence[ColumnMap]) -> Layout | None:
    """Consume lines up to a header of one of the formats; None if the limits have none."""
    chars = 0
    for number, line in enumerate(islice(lines, MAX_HEADER_LINES), start=1):
        for delimiter in DELIMITERS:
            cells = cells_of(line, delimiter)
            if layout := _layout(cells, formats, delimiter, number):
                return layout
        chars += len(line)
        if chars > MAX_HEADER_CHARS:
            break
    return None


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of a header that is one line."""
    return next(csv.reader([line], delimiter=delimiter), [])


def read_table(
    lines: Iterator[str], layout: Layout, formats: Sequence[ColumnMap]
) -> Iterator[tuple[int, RawRow | SkipReason]]:
    """Each row below the header with its first line number, or the reason to skip it."""
    for line, cells, lack, below in read_cells(lines, layout, formats):
        yield line, lack or below.raw(cells)


def read_cells(
    lines: Iterator[str], layout: Layout, formats: Sequence[ColumnMap]
) -> Iterator[tuple[int, list[str], SkipReason | None, Layout]]:
    """Each row below the header: its first line number, its cells, the reason to skip it, and the
    layout of the nearest header above it. The text of an unreadable row is its only cell."""
    for line, cells, is_readable in _CsvRows(lines, delimiter=layout.delimiter, done=layout.line):
        text = "".join(cells).strip()
        another = None
        # A further header, in a file of several concatenated ones. Nearly all rows have an "@".
        if is_readable and "@" not in text and _IN_ANY_HEADER in text.lower():
            another = _layout(cells, formats, layout.delimiter, layout.line)
        if not is_readable:
            yield line, cells, SkipReason.UNREADABLE, layout
        elif not text:
            yield line, cells, SkipReason.EMPTY_ROW, layout
        elif another:
            layout = another
        else:
            yield line, cells, None, layout


def _layout(
    header: list[str], formats: Sequence[ColumnMap], delimiter: str, line: int
) -> Layout | None:
    """The layout below these cells; None if they are not a header."""
    titles = [fold_title(cell) for cell in header]
    for known in formats:
        if any(signature.issubset(titles) for signature in known.signatures):
            return arrange(known, titles, delimiter, line)
    return None


def arrange(known: ColumnMap, titles: list[str], delimiter: str, line: int) -> Layout:
    """The layout below a header with these folded titles."""

    def places(wanted: Titles) -> tuple[int, ...]:
        return tuple(p for title in wanted for p, held in enumerate(titles) if held == title)

    def place(wanted: Titles) -> int:
        return next(iter(places(wanted)), _ABSENT)

    single = (
        *(known.first_name, known.last_name, known.full_name, known.company, known.position),
        *(known.connected_on, known.changed_at),
    )
    profiles = places(known.profiles)
    return Layout(
        format=known,
        delimiter=delimiter,
        line=line,
        width=len(titles),
        texts=tuple(place(wanted) for wanted in single),
        profiles=profiles,
        websites=tuple(place for place in _websites(known, titles) if place.cell not in profiles),
        emails=tuple(
            _EmailPlace(cell, e.email_type, place(e.labels), place((e.status,)))
            for e in known.emails
            for cell in places((e.title,))
        ),
    )


def _websites(known: ColumnMap, titles: list[str]) -> Iterator[_SitePlace]:
    """Columns of sites. Columns with LinkedIn in the title are first."""
    made = [_LINKEDIN in title and not names_other_entity(title) for title in titles]
    for place, title in sorted(enumerate(titles), key=lambda found: not made[found[0]]):
        if made[place] or title in known.websites:
            # `Website 1 - Label` for `Website 1 - Value`.
            labels = [title.replace("value", of) for of in ("label", "type") if "value" in title]
            label = next((titles.index(label) for label in labels if label in titles), _ABSENT)
            yield _SitePlace(place, label, bool(made[place] and _HANDLE.search(title)))


class _CsvRows:
    """Yields the first line number and the cells of each row, and whether it is readable. The text
    of a row that is not is its only cell.

    An unclosed quotation mark costs only its own line: the lines that it swallowed, up to a mark
    that cannot close it by RFC 4180, are read again. A note of several lines stays one row.
    """

    def __init__(self, lines: Iterator[str], *, delimiter: str, done: int) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._done = done
        self._again = deque[str]()
        self._taken = list[str]()
        self._size = 0

    def __iter__(self) -> Iterator[tuple[int, list[str], bool]]:
        reader = self._reader()
        while True:
            self._taken.clear()
            self._size = 0
            try:
                cells = next(reader, None)
            except csv.Error:
                cells, reader = self._first_line_alone(), self._reader()
            if not self._taken:
                return
            begins = self._done + 1
            self._done += len(self._taken)
            text = "".join(self._taken).rstrip("\r\n")
            yield begins, [text] if cells is None else cells, cells is not None

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._noted(), delimiter=self._delimiter, strict=True)

    def _noted(self) -> Iterator[str]:
        while self._size <= MAX_ROW:
            line = self._line()
            if not line:
                return
            self._taken.append(line)
            self._size += len(line)
            yield line

    def _line(self) -> str:
        """The next line; empty at the end. A long one comes in pieces."""
        line = piece = self._piece()
        while piece and not line.endswith(("\r", "\n")) and len(line) < MAX_ROW:
            piece = self._piece()
            line += piece
        return line

    def _piece(self) -> str:
        return self._again.popleft() if self._again else next(self._lines, "")

    def _first_line_alone(self) -> list[str] | None:
        """The cells of a line with stray quotation marks; None if one of them is never closed."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        stray = csv.reader([*self._taken, _END], delimiter=self._delimiter)
        try:
            cells = next(stray, None)
        except csv.Error:
            return None
        return cells if next(stray, None) == [_END] else None
