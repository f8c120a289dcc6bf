"""Imported contacts: taking them in, listing them, and answering from them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from mcp_enrichment.service.domain.privacy import left_out
from mcp_enrichment.service.sources.exports.contact import Contact, Skipped, SkipReason
from mcp_enrichment.service.store import audit
from mcp_enrichment.service.store import contacts as store
from mcp_enrichment.service.store.audit import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.store.database import Database

BATCH = 5000
"""Rows of one statement."""


@dataclass(kw_only=True, slots=True)
class ImportReport:
    """What an import did."""

    read: int = 0
    """Rows of the file."""
    stored: int = 0
    """Rows that hold an address; each is in the database now."""
    new: int = 0
    """Addresses that were not there before."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)


def import_contacts(
    database: Database, rows: Iterable[Contact | Skipped], *, source: str
) -> ImportReport:
    """Store the contacts among the rows, in the calling thread: all of them, or none where reading
    them raises. Repeating it adds nothing."""
    report = ImportReport()

    def put_all(connection: Connection) -> None:
        before = store.count(connection)
        contacts = _counted(rows, report, left_out(connection, database.subjects))
        while batch := list(islice(contacts, BATCH)):
            store.put(connection, [_values(contact, source) for contact in batch])
        report.new = store.count(connection) - before
        counts = {"contacts": report.stored, "suppressed": report.skipped[SkipReason.SUPPRESSED]}
        audit.write(connection, Action.IMPORT, at=time.time(), counts=counts)

    database.write_now(put_all)
    return report


def first_contacts(database: Database, limit: int) -> tuple[Sequence[Row[Any]], int]:
    """The first contacts by name, and how many there are."""
    return database.read_now(lambda c: (store.page(c, limit=limit), store.count(c)))


@dataclass(frozen=True, slots=True)
class StoredContacts:
    """The contact book of the contacts source."""

    database: Database

    async def email_of(self, profile: str, kind: EmailType) -> str | None:
        return await self.database.read(lambda c: store.email_of(c, profile, kind))

    async def is_empty(self) -> bool:
        return not await self.database.read(store.any_stored)


def _counted(
    rows: Iterable[Contact | Skipped],
    report: ImportReport,
    is_left_out: Callable[[str, str], bool],
) -> Iterator[Contact]:
    for row in rows:
        report.read += 1
        if isinstance(row, Skipped):
            report.skipped[row.reason] += 1
        elif is_left_out(row.profile, row.email):
            report.skipped[SkipReason.SUPPRESSED] += 1
        else:
            report.stored += 1
            yield row


def _values(contact: Contact, source: str) -> dict[str, Any]:
    return {
        "linkedin_url": contact.profile,
        "type": contact.kind,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": contact.company,
        "position": contact.position,
        "connected_on": contact.connected_on and contact.connected_on.isoformat(),
        "source": source,
        "imported_at": time.time(),
    }
