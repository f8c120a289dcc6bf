"""Removes the remains of deleted rows from a database's files.

Their bytes can stay in free space of pages, in free pages and in the write-ahead log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.errors import is_busy, is_full
from mcp_enrichment.service.privacy.personal_data_inventory import PERSONAL

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


OTHERS_SECONDS = 30.0
"""Seconds to wait for other transactions on Postgres, for each table."""
LOOK_AGAIN = 0.05
_UNDER_WAY = text("""
    SELECT locks.virtualtransaction FROM pg_locks locks JOIN pg_stat_activity USING (pid)
    WHERE locks.locktype = 'virtualxid' AND datname = current_database()
    AND pid <> pg_backend_pid()
""")


def scrub(engine: Engine) -> bool:
    """Rewrite the tables with personal data; False if another process or a full disk prevents it.
    Raises `StorageFailed` if the disk fails.

    Other processes may go on, and some wait. On Postgres the role must own the database, and the
    write-ahead log is left to the server, which reuses its files.
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
        _sync_log(driver)
    except sqlite3.OperationalError as error:
        if is_busy(error) or is_full(error):
            return False
        raise
    return not busy


def _sync_log(driver: Any) -> None:
    # SQLite empties the log without a sync, so a power cut could bring back its content.
    file: str = driver.execute("PRAGMA database_list").fetchone()[2]
    try:
        with open(f"{file}-wal", "rb+") as log:
            os.fsync(log.fileno())
    except OSError as error:
        raise StorageFailed(StorageFault.FULL) from error


def _scrub_postgres(engine: Engine) -> bool:
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with outside.connect() as connection:
            warned = _warnings(connection)
            connection.detach()  # these settings are for this connection alone
            # Rewriting a large table takes long. While it waits for a lock, others wait too.
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"SET lock_timeout = '{OTHERS_SECONDS:.0f}s'"))
            if not _older_are_over(connection):
                return False
            for held in PERSONAL:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {held.table.name}"))
            # The planner's statistics contain values of columns.
            connection.execute(text("VACUUM FULL pg_statistic"))
    except OperationalError:  # a lock that is held, no room, or the server has gone
        return False
    return not warned


def _warnings(connection: Connection) -> list[object]:
    """Collect the server's warnings: it only warns when it skips another role's table."""
    warned: list[object] = []
    driver: Any = connection.connection.driver_connection
    driver.add_notice_handler(
        lambda said: warned.append(said) if said.severity_nonlocalized == "WARNING" else None
    )
    return warned


def _older_are_over(connection: Connection) -> bool:
    """Wait for older transactions, as rows that they may read are kept; False if one takes more
    than `OTHERS_SECONDS`."""
    until = time.monotonic() + OTHERS_SECONDS
    older = set(connection.execute(_UNDER_WAY).scalars())
    while older := older.intersection(connection.execute(_UNDER_WAY).scalars()):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_AGAIN)
    return True
