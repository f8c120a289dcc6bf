"""Imports contacts in batches, and lists them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.contacts.person_records import (
    address_of,
    figures,
    to_person_rows,
    upsert_persons,
)
from mcp_enrichment.service.contacts.staging import EMAIL, PROFILE, RANK, Staging, email_row
from mcp_enrichment.service.db.schema import contact_emails
from mcp_enrichment.service.db.upsert import execute_for_each, is_renewed, tune_sqlite, upsert
from mcp_enrichment.service.privacy import audit_log
from mcp_enrichment.service.privacy.audit_log import Action
from mcp_enrichment.service.privacy.subject_requests import lock_for_import
from mcp_enrichment.service.privacy.suppression import suppression_filter
from mcp_enrichment.service.sources.exports.records import Contact, Person, Skipped, SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from mcp_enrichment.service.contacts.staging import Values
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms

logger = logging.getLogger(__name__)

BATCH = 6000
"""Rows of one transaction: other writers wait for a fraction of a second."""


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
    is_left_out: Callable[[str, str], bool] | None = field(default=None, repr=False, compare=False)
    """Whether this profile, or this address, is on the suppression list; None: neither is."""

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
        if self.is_left_out and self.is_left_out(row.profile or "", row.email):
            (self.left_out if row.rank else self.skipped)[SkipReason.SUPPRESSED] += 1
            return
        self.stored += row.rank == 0
        self.addresses += 1
        yield row


def import_contacts(
    database: Database, rows: Iterable[Contact | Skipped], *, source: str
) -> ImportReport:
    """Store the contacts among the rows, in the calling thread: none if reading them raises.

    All rows are staged before the first is written. They are written in order, which costs least,
    and in batches, so that others can write in between. After an interruption, importing the same
    file again adds the missing rows, and no row twice.
    """
    now = time.time()
    is_left_out = database.read_now(partial(suppression_filter, pseudonyms=database.pseudonyms))
    report = ImportReport(is_left_out=is_left_out)
    with Staging() as staged:
        found = report.contacts_among(rows)
        staged.add_emails(email_row(row, source=source, at=now) for row in found)
        report.new = _write(database, staged)
    counts = {"contacts": report.stored, "suppressed": report.skipped[SkipReason.SUPPRESSED]}
    database.write_now(partial(audit_log.record, action=Action.IMPORT, at=now, counts=counts))
    with log_and_continue(
        logger, "the accuracy of inference was not computed; its first reader computes it"
    ):
        figures(database)  # here: it takes up to a minute, which a service cannot wait
    return report


def _write(database: Database, staged: Staging) -> int:
    """Write all staged rows, and the persons named in them; the number of addresses that were not
    stored before. Raises `StorageFailed`."""
    pseudonyms = database.pseudonyms
    stored = new = 0
    try:
        for batch in staged.emails(BATCH):
            kept, added = database.write_now(
                partial(_upsert_emails, rows=batch, pseudonyms=pseudonyms)
            )
            stored += sum(1 for row in kept if row[EMAIL] and not row[RANK])
            new += added
            staged.add_persons(to_person_rows(kept))
        for batch in staged.persons(BATCH):
            database.write_now(partial(_upsert_persons, rows=batch, pseudonyms=pseudonyms))
    except StorageFailed as failure:
        if not stored:
            raise
        raise StorageFailed(
            failure.fault,
            done=f"{stored:,} rows with an address are stored, and nothing was charged: "
            "importing the file again adds the rest, and nothing twice.",
        ) from failure
    return new


def _upsert_emails(
    connection: Connection, rows: list[Values], pseudonyms: Pseudonyms
) -> tuple[list[Values], int]:
    """Upsert the rows of addresses: newer ones replace older ones of the same source. The rows that
    are not suppressed, and the number of new addresses, also with concurrent imports."""
    kept = _not_suppressed(connection, rows, itemgetter(EMAIL), pseudonyms)
    addressed = [row for row in kept if row[EMAIL]]
    if not addressed:
        return kept, 0
    new = upsert(connection, contact_emails)
    added = execute_for_each(connection, new.on_conflict_do_nothing(), addressed)
    if added < len(addressed):
        key = [column.name for column in contact_emails.primary_key]
        fresh = {c.name: new.excluded[c.name] for c in contact_emails.c if not c.primary_key}
        newer = (new.excluded.seen_at > contact_emails.c.seen_at) | is_renewed(new, contact_emails)
        statement = new.on_conflict_do_update(index_elements=key, set_=fresh, where=newer)
        execute_for_each(connection, statement, addressed)
    return kept, added


def _upsert_persons(connection: Connection, rows: list[Values], pseudonyms: Pseudonyms) -> None:
    if kept := _not_suppressed(connection, rows, address_of, pseudonyms):
        upsert_persons(connection, kept)


def _not_suppressed(
    connection: Connection,
    rows: list[Values],
    email_of: Callable[[Values], str],
    pseudonyms: Pseudonyms,
) -> list[Values]:
    tune_sqlite(connection)
    # Checked again: a person may have been erased since the rows were read.
    lock_for_import(connection)
    is_left_out = suppression_filter(connection, pseudonyms)
    return [row for row in rows if not is_left_out(row[PROFILE], email_of(row))]


def first_contacts(database: Database, limit: int) -> tuple[Sequence[Row[Any]], int]:
    """The first contacts by name, the newest of a person first, and the number of all addresses,
    each counted for each source."""
    c = contact_emails.c
    by_name = (c.last_name, c.first_name, c.linkedin_url)
    newest = (c.type, c.seen_at.desc(), c.rank)
    page = select(contact_emails).order_by(*by_name, *newest).limit(limit)
    count = select(func.count()).select_from(contact_emails)
    return database.read_now(
        lambda connection: (connection.execute(page).all(), connection.execute(count).scalar_one())
    )
