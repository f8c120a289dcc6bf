"""What the processes of one machine know of pushes: a SQLite file that they share."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

BUSY_TIMEOUT = 2.0
"""Seconds that one process waits for another's transaction."""
KEPT = 86_400.0
"""Seconds after which all is forgotten: a push that has not come is not expected any more."""
MAX_TELLS = 10
"""Pushes of one request that are heeded; a sender makes three tries."""

VERSION = 1
"""Of the file's schema (`PRAGMA user_version`)."""
_SCHEMA = """
CREATE TABLE expected (
    key TEXT PRIMARY KEY, enrichment_id TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX expected_by_id ON expected (enrichment_id);
CREATE TABLE told (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX told_by_key ON told (key);
CREATE TABLE missed (at REAL NOT NULL) STRICT;
"""


class WebhookStore:
    """Requests whose end is to be pushed, and the pushes that have come. Every call raises
    `StorageFailed`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue = anyio.CapacityLimiter(1)

    async def expect(self, key: str, enrichment_id: str) -> None:
        """The request that was made with this key has got this id."""
        await self._run(partial(_expect, key, enrichment_id, time.time()))

    async def notify(self, key: str) -> None:
        """A push has come for the request of this key, whose id may not be known yet."""
        await self._run(partial(_tell, key, time.time()))

    async def miss(self) -> None:
        """A request has ended, and no push came."""
        await self._run(partial(_miss, time.time()))

    async def is_expected(self, enrichment_id: str) -> bool:
        """Whether the end of this request is to be pushed, and has not been; never since a push has
        been missed, until one comes."""
        return await self._run(partial(_is_expected, enrichment_id))

    async def notified_since(self, number: int) -> tuple[int, Sequence[str]]:
        """The ids that pushes have come for since that number, and the number to ask with next."""
        return await self._run(partial(_told_since, number))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await anyio.to_thread.run_sync(
            self._in_transaction, work, limiter=self._queue, abandon_on_cancel=True
        )

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
            with closing(db), db:
                db.execute("BEGIN IMMEDIATE")
                _prepare(db)
                return work(db)
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed(StorageFault.NOT_WRITABLE) from error


def _prepare(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")


def _expect(key: str, enrichment_id: str, now: float, db: sqlite3.Connection) -> None:
    for table in ("expected", "told", "missed"):
        db.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT,))  # noqa: S608
    db.execute("INSERT OR REPLACE INTO expected VALUES (?, ?, ?)", (key, enrichment_id, now))


def _tell(key: str, now: float, db: sqlite3.Connection) -> None:
    few = "(SELECT count(*) FROM told WHERE key = ?) < ?"
    db.execute(
        f"INSERT INTO told (key, at) SELECT ?, ? WHERE {few}",
        (key, now, key, MAX_TELLS),
    )


def _miss(now: float, db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO missed VALUES (?)", (now,))


def _is_expected(enrichment_id: str, db: sqlite3.Connection) -> bool:
    query = """
        SELECT EXISTS (SELECT 1 FROM expected WHERE enrichment_id = ?1)
        AND NOT EXISTS (SELECT 1 FROM told JOIN expected USING (key) WHERE enrichment_id = ?1)
        AND coalesce((SELECT max(at) FROM missed), 0) <= coalesce((SELECT max(at) FROM told), 0)"""
    return bool(db.execute(query, (enrichment_id,)).fetchone()[0])


def _told_since(number: int, db: sqlite3.Connection) -> tuple[int, Sequence[str]]:
    query = "SELECT number, enrichment_id FROM told LEFT JOIN expected USING (key) WHERE number > ?"
    found = db.execute(query, (number,)).fetchall()
    last = max((row[0] for row in found), default=number)
    return last, [row[1] for row in found if row[1] is not None]
