"""Reads the rows of any table of people as they are, each with the profile of its person.

The columns of profiles are those of a known export, else those with LinkedIn in their titles, else
those whose titles mean a URL, else the first column with a URL of LinkedIn in a table without a
header.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.csv_table import (
    DELIMITERS,
    MAX_HEADER_LINES,
    Layout,
    arrange,
    cells_of,
    find_layout,
    read_cells,
)
from mcp_enrichment.service.sources.exports.formats import (
    FORMATS,
    PROFILES,
    ColumnMap,
    InvalidColumnMap,
    fold_title,
)
from mcp_enrichment.service.sources.exports.normalize import find_profile
from mcp_enrichment.service.sources.exports.open_export import Decoder, open_lines
from mcp_enrichment.service.sources.exports.records import InvalidExport, SkipReason
from mcp_enrichment.service.sources.exports.vcard import read_vcards

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mcp_enrichment.service.sources.exports.open_text import Progress
    from mcp_enrichment.service.sources.exports.records import RawRow

PROFILE_TITLE = "linkedin_url"
"""The title of the column of profiles in a table that had no titles."""
CARD_TITLES = ("first_name", "last_name", "name", "company", "position", PROFILE_TITLE)
"""The columns of a vCard as a table."""
MAX_SHOWN_TITLES = 20
"""The titles that an error names, each in `MAX_SHOWN_TITLE` characters."""
MAX_SHOWN_TITLE = 40
NAME_IT = "name it with --map url=COLUMN"

_BY_LINKEDIN = ColumnMap(
    name="list", signatures=(), profiles=(*PROFILES, "defaultprofileurl"), emails=()
)
"""Columns with LinkedIn in their titles count as well, as in every layout."""
_BY_URL = replace(
    _BY_LINKEDIN, profiles=("profile", "profile link", "profile_url", "url", "link", "profiles")
)
_NO_ROW = re.compile(r"\s*(?:sep=.)?\s*", re.IGNORECASE)
"""A blank line, or Excel's line that names the separator."""
_IN_URL = ("linkedin.com/", "linkedin.cn/")


class RawPerson(NamedTuple):
    """A row as it is."""

    cells: Sequence[str]
    profile: str | None
    """Canonical; None if the row has none of a person."""
    lack: SkipReason | None
    """Why it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawTable:
    """A table of people."""

    titles: Sequence[str]
    delimiter: str
    rows: Iterator[RawPerson]
    """Without rows of empty cells. Raises `InvalidExport` if the rest cannot be read."""
    is_card: bool = False
    """Whether the cells were made from vCards."""


def parse_profile_column(text: str) -> ColumnMap:
    """Parse `url=COLUMN`. Raises `InvalidColumnMap`."""
    field, equals, title = text.partition("=")
    if field.strip() != "url" or not equals or not fold_title(title):
        raise InvalidColumnMap("it is url=COLUMN, with the title of the column of profiles")
    title = fold_title(title)
    return replace(_BY_LINKEDIN, profiles=(title,), signatures=(frozenset({title}),))


@contextmanager
def open_rows(
    path: Path, *, column: ColumnMap | None = None, progress: Progress | None = None
) -> Iterator[RawTable]:
    """Open any file that `open_export` reads, or another CSV with profiles.

    `column`: from `parse_profile_column`. `progress`: as for `open_export`. Raises `InvalidExport`,
    with the titles if no column has profiles.
    """
    with open_lines(path, progress) as (raw, is_vcard):
        if is_vcard and column is None:
            yield RawTable(titles=CARD_TITLES, delimiter=",", rows=_card_rows(raw), is_card=True)
            return
        lines = Decoder().decode(raw)
        head = list(islice(lines, MAX_HEADER_LINES))
        titles, layout = _header(head, path, column)
        below = chain(head[layout.line :], lines)
        rows = _rows(below, layout, [] if column else FORMATS)
        yield RawTable(titles=titles, delimiter=layout.delimiter, rows=rows)


def _header(
    head: Sequence[str], path: Path, column: ColumnMap | None
) -> tuple[Sequence[str], Layout]:
    known = find_layout(iter(head), [column] if column else FORMATS)
    if known is not None:
        titles = cells_of(head[known.line - 1], known.delimiter)
        # A column that the user names is the only one.
        layout = replace(known, websites=()) if column else known
        return _with_profiles(titles, [layout], path)
    number = next((n for n, line in enumerate(head, start=1) if not _NO_ROW.fullmatch(line)), 0)
    if not number:
        raise InvalidExport.because(path, "has no rows")
    delimiter = max(DELIMITERS, key=lambda one: len(cells_of(head[number - 1], one)))
    titles = cells_of(head[number - 1], delimiter)
    if column:
        raise _lacks(path, "column with that title", titles)
    if any(map(_is_url, titles)):
        number, titles = number - 1, _made_titles(titles)
    folded = list(map(fold_title, titles))
    maps = (_BY_LINKEDIN, _BY_URL)
    return _with_profiles(titles, [arrange(m, folded, delimiter, number) for m in maps], path)


def _with_profiles(
    titles: Sequence[str], layouts: Sequence[Layout], path: Path
) -> tuple[Sequence[str], Layout]:
    """The first layout with a column of profiles."""
    for layout in layouts:
        if layout.profiles or layout.websites:
            return titles, layout
    raise _lacks(path, "column of profiles", titles)


def _is_url(cell: str) -> bool:
    return any(map(cell.casefold().__contains__, _IN_URL))


def _made_titles(cells: Sequence[str]) -> list[str]:
    """Titles for a table whose first row is of a person."""
    place = next(place for place, cell in enumerate(cells) if _is_url(cell))
    return [PROFILE_TITLE if n == place else f"column_{n + 1}" for n in range(len(cells))]


def _lacks(path: Path, what: str, titles: Sequence[str]) -> InvalidExport:
    shown = [
        "".join(filter(str.isprintable, title.strip()[:MAX_SHOWN_TITLE]))
        for title in titles[:MAX_SHOWN_TITLES]
    ]
    more = ["…"] if len(titles) > len(shown) else []
    seen = ", ".join(filter(None, shown + more))
    return InvalidExport.because(path, f"has no {what}, only {seen}", NAME_IT)


def _rows(
    lines: Iterator[str], layout: Layout, formats: Sequence[ColumnMap]
) -> Iterator[RawPerson]:
    for _, cells, lack, below in read_cells(lines, layout, formats):
        if lack is None:
            yield RawPerson(cells, *find_profile(below.raw(cells).profiles))
        elif lack is not SkipReason.EMPTY_ROW:
            yield RawPerson(cells, None, lack)


def _card_rows(lines: Iterator[str]) -> Iterator[RawPerson]:
    for _, card in read_vcards(lines):
        if isinstance(card, SkipReason):
            yield RawPerson((), None, card)
        else:
            profile, lack = find_profile(card.profiles)
            yield RawPerson(_card_cells(card, profile), profile, lack)


def _card_cells(card: RawRow, profile: str | None) -> Sequence[str]:
    url = profile or next(iter(card.profiles), "")
    return (card.first_name, card.last_name, card.full_name, card.company, card.position, url)
