"""The webhooks that are expected and those that have arrived, for all processes of one machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mcp_enrichment.client.state.sqlite_file import (
    Schema,
    SQLiteFile,
    SQLiteStore,
    read_transaction,
    transaction,
)
from mcp_enrichment.contract.defaults import DAY

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

BUSY_TIMEOUT = 2.0
"""Seconds that one process waits for another's transaction."""
KEPT_SECONDS = DAY
"""After which rows are deleted, and a webhook is no longer expected."""
MAX_NOTIFICATIONS = 10
"""Webhooks of one request that are saved; a vendor makes three attempts."""

SCHEMA = Schema(
    version=2,
    tables="""
CREATE TABLE expected (
    key TEXT PRIMARY KEY, enrichment_id TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX expected_by_id ON expected (enrichment_id);
CREATE TABLE notified (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX notified_by_key ON notified (key);
CREATE TABLE missed (at REAL NOT NULL) STRICT;
""",
    contains="the record of expected webhooks",
    if_lost="the lookups in it are polled",
)


class WebhookStore(SQLiteStore):
    """Every method raises `StorageFailed`."""

    def __init__(self, path: Path) -> None:
        self._file = SQLiteFile(path, SCHEMA, busy_timeout=BUSY_TIMEOUT)

    @transaction
    def expect(self, db: sqlite3.Connection, key: str, enrichment_id: str) -> None:
        """Save the id of the request that was made with this key."""
        now = time.time()
        for table in ("expected", "notified", "missed"):
            db.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT_SECONDS,))  # noqa: S608
        db.execute("INSERT OR REPLACE INTO expected VALUES (?, ?, ?)", (key, enrichment_id, now))

    @transaction
    def notify(self, db: sqlite3.Connection, key: str) -> None:
        """Save a webhook for the request of this key. The id may not be known yet."""
        few = "(SELECT count(*) FROM notified WHERE key = ?) < ?"
        db.execute(
            f"INSERT INTO notified (key, at) SELECT ?, ? WHERE {few}",
            (key, time.time(), key, MAX_NOTIFICATIONS),
        )

    @transaction
    def miss(self, db: sqlite3.Connection) -> None:
        """Save that a request became final and no webhook came."""
        db.execute("INSERT INTO missed VALUES (?)", (time.time(),))

    @read_transaction
    def is_expected(self, db: sqlite3.Connection, enrichment_id: str) -> bool:
        """Whether a webhook for this request is still to come.

        False after one was missed, until another one arrives.
        """
        query = """
            SELECT EXISTS (SELECT 1 FROM expected WHERE enrichment_id = :id)
            AND NOT EXISTS (
                SELECT 1 FROM notified JOIN expected USING (key) WHERE enrichment_id = :id
            )
            AND coalesce((SELECT max(at) FROM missed), 0)
                <= coalesce((SELECT max(at) FROM notified), 0)"""
        return bool(db.execute(query, {"id": enrichment_id}).fetchone()[0])

    @read_transaction
    def notified_since(self, db: sqlite3.Connection, number: int) -> tuple[int, Sequence[str]]:
        """The ids of the webhooks that came after this number, and the number to pass next."""
        query = (
            "SELECT number, enrichment_id FROM notified LEFT JOIN expected USING (key)"
            " WHERE number > ?"
        )
        found = db.execute(query, (number,)).fetchall()
        last = max((row[0] for row in found), default=number)
        return last, [row[1] for row in found if row[1] is not None]
