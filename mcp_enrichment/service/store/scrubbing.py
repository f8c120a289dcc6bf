"""What a deleted row leaves behind in a database's files, and how it is removed.

Its bytes can stay in a page's free space, in free pages and in the write-ahead log.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from mcp_enrichment.service.store.faults import is_busy, is_full
from mcp_enrichment.service.store.personal import PERSONAL

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def scrub(engine: Engine) -> bool:
    """Write what holds anything about people anew, without those bytes; False where another
    process, or a full disk, kept that from being done.

    Every process may go on meanwhile, but some wait. Postgres' write-ahead log is left to the
    server, which uses its files again.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            return _scrub_sqlite(connection)
    return _scrub_postgres(engine)


def _scrub_sqlite(connection: Connection) -> bool:
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


def _scrub_postgres(engine: Engine) -> bool:
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with outside.connect() as connection:
            for held in PERSONAL:
                connection.execute(text(f"VACUUM FULL {held.table.name}"))
            connection.execute(text("CHECKPOINT"))
    except OperationalError:  # its statement time-out, a lock that is held, or no room
        return False
    return True
