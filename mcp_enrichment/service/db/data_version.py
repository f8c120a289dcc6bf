"""Whether a SQLite file was changed, at the price of microseconds."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from mcp_enrichment.service.db.errors import sqlite_failure

if TYPE_CHECKING:
    from pathlib import Path


class DataVersion:
    """SQLite's `PRAGMA data_version`, on a connection of its own that is kept open."""

    def __init__(self, path: Path) -> None:
        """Without a timeout, as a look must not wait for a lock."""
        self._connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        # A connection that is closed during its statement crashes the process.
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """A number that changes with each commit of any other connection, of whichever process.

        From any thread. Raises `StorageFailed`.
        """
        try:
            with self._lock:
                (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            failure = sqlite_failure(error)
            if failure is None:
                raise
            raise failure from error
        return int(version)

    def close(self) -> None:
        """Close the connection: each later call raises."""
        with self._lock:
            self._connection.close()
