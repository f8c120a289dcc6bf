"""Where a table begins in a file, of which format it is, and where its rows have what."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.format import Format, Titles, folded
from mcp_enrichment.service.sources.exports.mailbox import kind_of_label
from mcp_enrichment.service.sources.exports.raw import Raw, RawEmail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcp_enrichment.contract.models import EmailType

HEADER_WITHIN_LINES = 200
HEADER_WITHIN_CHARS = 64 * 2**10
"""A file that has no header in both is another file; LinkedIn's own notes take 3 lines."""

_DELIMITERS = ",;\t|"
_NOWHERE = -1
"""The place of what a file does not have: each row is given an empty cell at its end."""
_LINKEDIN_DOMAIN = "linkedin.com"
_OWN = re.compile(
    r"(?:linkedin|url|uri|web|site|adresse|address|profile?|links?|page|public|person(?:al)?|"
    r"contact|prospect|lead|member|sales|navigator|nav|hs|c|[\W\d_])+"
)
"""Titles made of these words mean the row's own profile. Any other word may make it somebody
else's: a company's, a manager's, that of whoever sold to or recommended the person."""
_DOUBTFUL = frozenset({"guessed", "extrapolated", "unavailable", "invalid", "bounced"})


class _EmailPlace(NamedTuple):
    cell: int
    kind: EmailType | None
    label: int
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the rows below a header are to be read."""

    format: Format
    delimiter: str
    line: int
    """Which line of the file the header is, from 1."""
    width: int
    texts: tuple[int, ...]
    """The places of the first seven fields of `Raw`."""
    profiles: tuple[int, ...]
    websites: tuple[int, ...]
    emails: tuple[_EmailPlace, ...]

    def raw(self, cells: list[str]) -> Raw:
        """Arrange the cells of a row, which may be too few or too many."""
        cells = cells[: self.width]
        cells += [""] * (self.width - len(cells) + 1)
        urls = [cells[place] for place in self.profiles if cells[place]]
        urls += [u for place in self.websites if _LINKEDIN_DOMAIN in (u := cells[place]).lower()]
        emails = [_email(cells, place) for place in self.emails if cells[place.cell].strip()]
        first, last, full, company, position, connected, changed = (cells[p] for p in self.texts)
        return Raw(first, last, full, company, position, connected, changed, urls, emails)


def _email(cells: list[str], place: _EmailPlace) -> RawEmail:
    kind = kind_of_label(cells[place.label]) if place.label != _NOWHERE else place.kind
    doubtful = place.status != _NOWHERE and cells[place.status].strip().casefold() in _DOUBTFUL
    return RawEmail(cells[place.cell], kind, doubtful)


def find_layout(lines: Iterator[str], formats: Iterable[Format]) -> Layout | None:
    """Take lines up to a header of one of the formats; None where the first ones hold none."""
    chars = 0
    for number, line in enumerate(islice(lines, HEADER_WITHIN_LINES), start=1):
        if layout := _layout(line, number, formats):
            return layout
        chars += len(line)
        if chars > HEADER_WITHIN_CHARS:
            break
    return None


def _layout(line: str, number: int, formats: Iterable[Format]) -> Layout | None:
    for delimiter in _DELIMITERS:
        titles = [folded(cell) for cell in next(csv.reader([line], delimiter=delimiter), [])]
        for known in formats:
            if any(mark.issubset(titles) for mark in known.marks):
                return _arranged(known, titles, delimiter, number)
    return None


def _arranged(known: Format, titles: list[str], delimiter: str, line: int) -> Layout:
    def places(wanted: Titles) -> tuple[int, ...]:
        return tuple(p for title in wanted for p, held in enumerate(titles) if held == title)

    def place(wanted: Titles) -> int:
        return next(iter(places(wanted)), _NOWHERE)

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
        websites=tuple(p for p in _websites(known, titles) if p not in profiles),
        emails=tuple(
            _EmailPlace(cell, e.kind, place(e.labels), place((e.status,)))
            for e in known.emails
            for cell in places((e.title,))
        ),
    )


def _websites(known: Format, titles: list[str]) -> Iterator[int]:
    """Columns of sites, and those that somebody has made for LinkedIn under another title."""
    for place, title in enumerate(titles):
        own = "linkedin" in title and _OWN.fullmatch(title)
        if own or title in known.websites:
            yield place
