"""Fictional people, numbered, and the expected reading of a row about each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mcp_enrichment.service.sources.exports.records import SkipReason

ROWS = 240
_FIRST = ("Ada", "Jonas", "Zoë", "Tomás", "Priya", "Mei", "Søren", "Nkechi", "Léa", "Omar")
_LAST = ("Okafor", "Weiß", "Lindqvist", "Fernández", "O'Hara", "van der Berg", "Chen", "Abé")
Cells = dict[str, str]


@dataclass
class Row:
    """A row that is being written, and its expected reading."""

    number: int
    cells: Cells = field(default_factory=dict)
    emails: dict[str, EmailType] = field(default_factory=dict)
    profile: str | None = None
    reasons: list[SkipReason] = field(default_factory=list)

    @property
    def first(self) -> str:
        return _FIRST[self.number % len(_FIRST)]

    @property
    def last(self) -> str:
        return _LAST[self.number % len(_LAST)]

    @property
    def company(self) -> str:
        return f"Harbour {self.number % 40}, Inc."

    @property
    def slug(self) -> str:
        return f"{self.first}-{self.number}-example".lower()

    @property
    def url(self) -> str:
        """The profile's URL as programs write it."""
        return f"http://www.linkedin.com/in/{self.slug}"

    def mail(self, at: str = "") -> str:
        """An address at work, or at the given domain."""
        return f"p{self.number}@{at or f'harbour{self.number % 40}.example'}"

    def has_profile(self) -> None:
        self.profile = f"https://www.linkedin.com/in/{quote(self.slug)}"

    def has(self, email: str, email_type: EmailType = EmailType.WORK) -> str:
        """Expect this address to be read, and return it."""
        self.emails[email] = email_type
        return email

    def lacks(self, reason: SkipReason) -> None:
        self.reasons.append(reason)


def written(plain: Callable[[Row], None], traps: Sequence[Callable[[Row], None]]) -> list[Row]:
    """This many people: one with a usual row, then one with each trap, repeatedly."""
    rows = [Row(number) for number in range(ROWS)]
    for row, write in zip(rows, islice(cycle((plain, *traps)), ROWS), strict=True):
        write(row)
    return rows


def table(header: str, rows: Iterable[Row], *, delimiter: str = ",", quoted: bool = False) -> str:
    """The rows below a header, with the line ends of most programs."""
    out, titles = io.StringIO(), next(csv.reader([header]))
    writer = csv.DictWriter(
        *(out, titles),
        delimiter=delimiter,
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
        lineterminator="\r\n",
    )
    writer.writeheader()
    writer.writerows(row.cells for row in rows)
    return out.getvalue()
