"""Writes the staged rows of an import, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.contacts import contact_table, person_table
from mcp_enrichment.service.contacts.person_records import address_of, to_person_rows
from mcp_enrichment.service.contacts.staging import EMAIL, PROFILE, RANK
from mcp_enrichment.service.db import upsert
from mcp_enrichment.service.privacy.personal_data_inventory import lock_for_import
from mcp_enrichment.service.privacy.subject_requests import suppression_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from mcp_enrichment.service.contacts.staging import Staging, Values
    from mcp_enrichment.service.db.database import Database

BATCH = 6000
"""Rows of one transaction: other writers wait for a fraction of a second."""


@dataclass(slots=True)
class ImportWriter:
    """Writes rows in the order of their keys, so that few pages are written twice."""

    database: Database
    rows: int = 0
    """Rows of the export of which an address is stored."""
    new: int = 0
    """Addresses that were not stored before."""

    def write(self, staged: Staging) -> None:
        """Write all staged rows, and the persons named in them. Raises `StorageFailed`."""
        try:
            for batch in staged.emails(BATCH):
                staged.add_persons(to_person_rows(self._write_emails(batch)))
            for batch in staged.persons(BATCH):
                self.database.write_now(partial(self._upsert_persons, batch))
        except StorageFailed as failure:
            raise self._interrupted(failure) from failure

    def _interrupted(self, failure: StorageFailed) -> StorageFailed:
        if not self.rows:
            return failure
        return StorageFailed(
            failure.fault,
            done=f"{self.rows:,} rows with an address are stored, and nothing was charged: "
            "importing the file again adds the rest, and nothing twice.",
        )

    def _write_emails(self, batch: list[Values]) -> list[Values]:
        """The rows of the batch that are not suppressed."""
        kept, new = self.database.write_now(partial(self._upsert_emails, batch))
        self.rows += sum(1 for row in kept if row[EMAIL] and not row[RANK])
        self.new += new
        return kept

    def _upsert_emails(
        self, batch: list[Values], connection: Connection
    ) -> tuple[list[Values], int]:
        kept = self._not_suppressed(connection, batch, itemgetter(EMAIL))
        addressed = [row for row in kept if row[EMAIL]]
        return kept, contact_table.upsert_contacts(connection, addressed) if addressed else 0

    def _upsert_persons(self, batch: list[Values], connection: Connection) -> None:
        if kept := self._not_suppressed(connection, batch, address_of):
            person_table.upsert_persons(connection, kept)

    def _not_suppressed(
        self, connection: Connection, rows: list[Values], email_of: Callable[[Values], str]
    ) -> list[Values]:
        upsert.tune_sqlite(connection)
        # Checked again: a person may have been erased since the rows were read.
        lock_for_import(connection)
        is_left_out = suppression_filter(connection, self.database.pseudonyms)
        return [row for row in rows if not is_left_out(row[PROFILE], email_of(row))]
