"""Imports contacts, lists them, and looks them up for the contacts source."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.contacts import contact_table
from mcp_enrichment.service.contacts.import_writer import ImportWriter
from mcp_enrichment.service.contacts.person_records import figures
from mcp_enrichment.service.contacts.staging import Staging, email_row
from mcp_enrichment.service.privacy import audit_log
from mcp_enrichment.service.privacy.audit_log import Action
from mcp_enrichment.service.privacy.subject_requests import suppression_filter
from mcp_enrichment.service.sources.exports.records import Contact, Person, Skipped, SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database


logger = logging.getLogger(__name__)


def _none_suppressed(_profile: str, _email: str) -> bool:
    return False


@dataclass(kw_only=True, slots=True)
class ImportReport:
    """The result of an import, or of a dry run."""

    read: int = 0
    """Rows of the file."""
    stored: int = 0
    """Rows with an address; all of them are stored."""
    addresses: int = 0
    """Addresses in those rows."""
    new: int = 0
    """Addresses that this source did not have before."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    """Rows that were not stored, by reason. With the stored ones they are all rows read."""
    left_out: Counter[SkipReason] = field(default_factory=Counter)
    """Parts of stored rows that were not stored, by reason."""
    is_left_out: Callable[[str, str], bool] = field(
        default=_none_suppressed, repr=False, compare=False
    )
    """Whether this profile, or this address, is on the suppression list."""

    def contacts_among(self, rows: Iterable[Contact | Skipped]) -> Iterator[Contact | Person]:
        """The contacts among the rows, and people without an address. All rows are counted."""
        for row in rows:
            if isinstance(row, Contact):
                yield from self._contacts_of(row)
            elif row.is_part:
                self.left_out[row.reason] += 1
            else:
                self.read += 1
                self.skipped[row.reason] += 1
                if row.person:
                    yield row.person

    def _contacts_of(self, row: Contact) -> Iterator[Contact]:
        self.read += row.rank == 0
        if self.is_left_out(row.profile or "", row.email):
            (self.left_out if row.rank else self.skipped)[SkipReason.SUPPRESSED] += 1
            return
        self.stored += row.rank == 0
        self.addresses += 1
        yield row


def import_contacts(
    database: Database, rows: Iterable[Contact | Skipped], *, source: str
) -> ImportReport:
    """Store the contacts among the rows, in the calling thread: none where reading them raises.

    All rows are staged before the first is written. They are written in order, which costs least,
    and in batches, so that others can write in between. After an interruption, importing the same
    file again adds the missing rows, and no row twice.
    """
    now = time.time()
    is_left_out = database.read_now(partial(suppression_filter, pseudonyms=database.pseudonyms))
    report = ImportReport(is_left_out=is_left_out)
    writer = ImportWriter(database)
    with Staging() as staged:
        found = report.contacts_among(rows)
        staged.add_emails(email_row(row, source=source, at=now) for row in found)
        writer.write(staged)
    report.new = writer.new
    counts = {"contacts": report.stored, "suppressed": report.skipped[SkipReason.SUPPRESSED]}
    database.write_now(partial(audit_log.record, action=Action.IMPORT, at=now, counts=counts))
    with log_and_continue(
        logger, "the accuracy of inference was not computed; its first reader computes it"
    ):
        figures(database)  # here: it takes up to a minute, which a service cannot wait
    return report


def first_contacts(database: Database, limit: int) -> tuple[Sequence[Row[Any]], int]:
    """The first contacts by name, and the number of all."""
    return database.read_now(lambda c: (contact_table.page(c, limit=limit), contact_table.count(c)))


@dataclass(frozen=True, slots=True)
class StoredContacts:
    """The contact book of the contacts source."""

    database: Database

    async def emails_of(self, profile: str, email_type: EmailType) -> dict[str, float] | None:
        def read(connection: Connection) -> dict[str, float] | None:
            found = contact_table.emails_of(connection, profile, email_type)
            return found if found or contact_table.any_stored(connection) else None

        return await self.database.read(read)
