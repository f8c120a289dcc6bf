"""A list of people with their answers, in a temporary file of SQLite.

A person who is in the list twice is one person. Memory stays flat in the length of the list. The
input is read once: if it changes during a run, each person still gets their own answer.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.contract.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.service.sources.exports.raw_rows import RawTable

INVALID, OPEN = "invalid", "open"
"""The states of rows without a profile, and of those that are not answered yet, beside those of
the contract and of the tools."""
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -16000;
CREATE TABLE people (number INTEGER PRIMARY KEY, profile TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE rows (
    place INTEGER PRIMARY KEY, cells TEXT NOT NULL, person INTEGER, is_repeat INTEGER, lack TEXT
) STRICT;
CREATE TABLE answers (
    person INTEGER PRIMARY KEY, email TEXT, status TEXT, source TEXT, verification TEXT,
    checked_at REAL, credits INTEGER, reason TEXT
) STRICT;
BEGIN;
"""


class Answer(NamedTuple):
    """The columns that are added to a row."""

    email: str | None
    status: str
    source: str | None
    verification: str | None
    checked_at: float | None
    """Seconds since the epoch."""
    credits: int | None
    """Charged in this run; None: unknown."""
    reason: str | None


class AnsweredRow(NamedTuple):
    """A row of the input with its answer."""

    cells: Sequence[str]
    profile: str | None
    answer: Answer


class ListTable:
    """The rows of one list. Every method may raise `CommandError` if the disk is full."""

    def __init__(self) -> None:
        self.titles: Sequence[str] = ()
        self.delimiter = ","
        self.is_card = False
        """Whether the cells were made from vCards."""
        self.width = 0
        """The cells of the longest row."""
        self.rows = self.people = self.without_profile = 0
        """Counts. The other rows repeat a person."""
        with _temporary_file():
            self._db = sqlite3.connect("", isolation_level=None)
            self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def read(self, table: RawTable) -> None:
        """Read all rows of an input."""
        self.titles, self.delimiter, self.is_card = table.titles, table.delimiter, table.is_card
        for row in table.rows:
            with _temporary_file():
                self._add(row.cells, row.profile, row.lack)

    def _add(self, cells: Sequence[str], profile: str | None, lack: str | None) -> None:
        person, is_new = self._person(profile) if profile else (None, True)
        values = (json.dumps(cells), person, not is_new, lack)
        self._db.execute("INSERT INTO rows VALUES (NULL, ?, ?, ?, ?)", values)
        self.rows += 1
        self.without_profile += profile is None
        self.people += bool(profile) and is_new
        used = max((place for place, cell in enumerate(cells, start=1) if cell.strip()), default=0)
        self.width = max(self.width, used)

    def _person(self, profile: str) -> tuple[int | None, bool]:
        """The number of a person, and whether it is a new one."""
        added = self._db.execute("INSERT OR IGNORE INTO people VALUES (NULL, ?)", (profile,))
        if added.rowcount:
            return added.lastrowid, True
        known = "SELECT number FROM people WHERE profile = ?"
        return self._db.execute(known, (profile,)).fetchone()[0], False

    def profiles(self) -> Iterator[str]:
        """The profile of each person once."""
        with _temporary_file():
            for (profile,) in self._db.execute("SELECT profile FROM people ORDER BY number"):
                yield profile

    def answer(self, index: int, answer: Answer) -> None:
        """Keep the answer for the person at this position of `profiles`, from 0."""
        with _temporary_file():
            added = "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            self._db.execute(added, (index + 1, *answer))

    def answered(self) -> Iterator[AnsweredRow]:
        """All rows in their order. A repeated row costs nothing."""
        joined = (
            "SELECT cells, lack, is_repeat, profile, answers.* FROM rows"
            " LEFT JOIN people ON number = rows.person LEFT JOIN answers USING (person)"
            " ORDER BY place"
        )
        with _temporary_file():
            found = self._db.execute(joined)
            for cells, lack, is_repeat, profile, person, *values in found:
                if lack:
                    answer = _nothing(INVALID, lack)
                elif person is None:
                    answer = _nothing(OPEN)
                else:
                    answer = Answer(*values)
                if is_repeat and answer.credits:
                    answer = answer._replace(credits=0)
                yield AnsweredRow(json.loads(cells), profile, answer)


def _nothing(status: str, reason: str | None = None) -> Answer:
    return Answer(None, status, None, None, None, None, reason)


@contextmanager
def _temporary_file() -> Iterator[None]:
    """Errors of the temporary file, which SQLite creates in TMPDIR or /var/tmp."""
    try:
        yield
    except sqlite3.Error as error:
        raise CommandError(
            "The list cannot be kept in the folder for temporary files: free space there, or set "
            "TMPDIR to another folder. Then run the same command again: it pays for nobody twice."
        ) from error
