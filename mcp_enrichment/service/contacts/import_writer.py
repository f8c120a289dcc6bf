"""Storing the rows of an import: in batches, and each where the database writes least for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.contacts import bulk_write, contact_table, person_table
from mcp_enrichment.service.contacts.person_records import address_of, to_person_rows
from mcp_enrichment.service.contacts.row_packing import (
    EMAIL,
    PROFILE,
    RANK,
    packed_person,
    unpacked,
    unpacked_person,
)
from mcp_enrichment.service.privacy.personal_data_inventory import lock_for_import
from mcp_enrichment.service.privacy.subject_requests import left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection

    from mcp_enrichment.service.contacts.row_packing import Values
    from mcp_enrichment.service.db.database import Database

BATCH = 6000
"""Rows of one transaction: others who write wait for a fraction of a second."""
WINDOW = 40_000
"""People who are stored by company and not as they come, as their table has indexes by company:
the more, the fewer of the pages are written again, and the more memory is needed."""


@dataclass(slots=True)
class ImportWriter:
    """Takes in packed rows of the contacts' table."""

    database: Database
    source: str
    at: float
    rows: int = 0
    """Rows of the export of which an address is stored."""
    new: int = 0
    """Addresses that were not stored before."""
    _people: list[str] = field(default_factory=list)

    def take(self, texts: Iterable[str]) -> None:
        """Store them, which costs least in their order. Raises `StorageFailed`."""
        try:
            for batch in self._batches(texts, unpacked):
                self._people += map(packed_person, to_person_rows(self._put(batch)))
                if len(self._people) >= WINDOW:
                    self._put_people()
            self._put_people()
        except StorageFailed as failure:
            raise self._cut_short(failure) from failure

    def _cut_short(self, failure: StorageFailed) -> StorageFailed:
        if not self.rows:
            return failure
        return StorageFailed(
            failure.fault,
            done=f"{self.rows:,} rows with an address are stored, and nothing was charged: "
            "importing the file again adds the rest, and nothing twice.",
        )

    def _put(self, batch: list[Values]) -> list[Values]:
        """Those of the batch that may be kept."""
        kept, new = self.database.write_now(partial(self._put_contacts, batch))
        self.rows += sum(1 for row in kept if row[EMAIL] and not row[RANK])
        self.new += new
        return kept

    def _put_contacts(
        self, batch: list[Values], connection: Connection
    ) -> tuple[list[Values], int]:
        kept = self._to_be_kept(connection, batch, itemgetter(EMAIL))
        addressed = [row for row in kept if row[EMAIL]]
        return kept, contact_table.upsert_contacts(connection, addressed) if addressed else 0

    def _put_people(self) -> None:
        self._people.sort()
        for batch in self._batches(self._people, unpacked_person):
            self.database.write_now(partial(self._put_some_people, batch))
        self._people.clear()

    def _put_some_people(self, batch: list[Values], connection: Connection) -> None:
        if kept := self._to_be_kept(connection, batch, address_of):
            person_table.upsert_persons(connection, kept)

    def _to_be_kept(
        self, connection: Connection, rows: list[Values], email_of: Callable[[Values], str]
    ) -> list[Values]:
        bulk_write.tune_sqlite(connection)
        # Asked once more, as somebody may have been erased since the rows were read.
        lock_for_import(connection)
        is_left_out = left_out(connection, self.database.subjects)
        return [row for row in rows if not is_left_out(row[PROFILE], email_of(row))]

    def _batches(
        self, texts: Iterable[str], unpack: Callable[..., Values]
    ) -> Iterator[list[Values]]:
        texts = iter(texts)
        while some := list(islice(texts, BATCH)):
            yield [unpack(text, source=self.source, at=self.at) for text in some]
