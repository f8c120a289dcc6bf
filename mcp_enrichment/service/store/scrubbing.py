"""What a deleted row leaves behind in SQLite's files, and how it is removed.

A deleted row's bytes can stay in a page's free space, in free pages and in the write-ahead log.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from mcp_enrichment.service.store.faults import is_busy, is_full

if TYPE_CHECKING:
    from sqlalchemy import Connection


def scrub_sqlite(connection: Connection) -> bool:
    """Write the database anew, without those bytes, and empty its write-ahead log; False where
    another process, or a full disk, kept that from being done.

    Every process may go on meanwhile, but writers wait.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 (a checked-out connection has one)
    try:
        driver.execute("VACUUM")
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if is_busy(error) or is_full(error):
            return False
        raise
    return not busy
