"""Writing many rows: what costs most then is that the same pages are written again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

CACHE_KIB = 8 * 2**10
"""What a transaction changes fits in, so that none of its pages is written twice."""
LOG_PAGES = 16 * 2**10
"""64 MiB: a page that several transactions change is written back once for all of them."""


def tune_sqlite(connection: Connection) -> None:
    """Have SQLite write each page less often, through this connection until it is closed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
