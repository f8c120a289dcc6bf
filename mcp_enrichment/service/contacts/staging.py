"""Imported rows in a temporary SQLite database, to be read back in the order of their keys."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcp_enrichment.service.db.errors import is_full
from mcp_enrichment.service.sources.exports.records import Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcp_enrichment.service.sources.exports.records import Contact

Values = tuple[Any, ...]
"""A row of `contact_emails` or of `contact_persons`, in the order of its columns."""
PROFILE, EMAIL, RANK = 0, 2, 10
"""Their places in a row of `contact_emails`; the profile's also in one of `contact_persons`."""
_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE emails (profile, email_type, email, c3, c4, c5, c6, c7, c8, c9, c10, c11);
    CREATE TABLE persons (profile, c1, c2, c3, company_key, local, domain, c7, c8, c9);
    BEGIN;
"""
_ADD_EMAIL = "INSERT INTO emails VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_PERSON = "INSERT INTO persons VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_EMAILS = "SELECT * FROM emails ORDER BY profile, email_type, email, rowid"
_PERSONS = "SELECT * FROM persons ORDER BY domain, company_key, local, profile"


class Staging:
    """Two tables in a file without a name, which SQLite deletes when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add_emails(self, rows: Iterable[Values]) -> None:
        with _disk_errors():
            self._database.executemany(_ADD_EMAIL, rows)

    def add_persons(self, rows: Iterable[Values]) -> None:
        with _disk_errors():
            self._database.executemany(_ADD_PERSON, rows)

    def emails(self, batch: int) -> Iterator[list[Values]]:
        """Batches of the rows in the order of the table's key, equal ones as they were added."""
        return self._batches(_EMAILS, batch)

    def persons(self, batch: int) -> Iterator[list[Values]]:
        """Batches of the rows in the order of the table's indexes."""
        return self._batches(_PERSONS, batch)

    def _batches(self, query: str, batch: int) -> Iterator[list[Values]]:
        with _disk_errors():
            cursor = self._database.execute(query)
            while rows := cursor.fetchmany(batch):
                yield rows


def email_row(row: Contact | Person, *, source: str, at: float) -> Values:
    """A row of `contact_emails`. That of a person without an address has an empty email.

    A time in the future is replaced by `at`: it would win over every later import.
    """
    seen_at, names = min(row.seen_at or at, at), (row.first_name, row.last_name, row.company)
    if isinstance(row, Person):
        return (row.profile, "", "", source, *names, "", None, seen_at, 0, at)
    connected_on = row.connected_on.isoformat() if row.connected_on else None
    key = (row.profile or "", row.email_type.value, row.email, source)
    return (*key, *names, row.position, connected_on, seen_at, row.rank, at)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
