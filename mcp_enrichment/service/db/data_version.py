"""Whether another connection has changed a SQLite file, read in microseconds."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from mcp_enrichment.service.db.errors import translate_db_errors

if TYPE_CHECKING:
    from pathlib import Path


class DataVersion:
    """SQLite's `PRAGMA data_version`, on a connection of its own that is kept open."""

    def __init__(self, path: Path) -> None:
        """Open the file, which must exist. Raises `StorageFailed`."""
        with translate_db_errors():
            self._connection = sqlite3.connect(
                path,
                timeout=0,  # no read waits for a lock
                isolation_level=None,
                check_same_thread=False,
            )
        # A connection that is closed during its statement crashes the process.
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """A number that changes with each commit of any other connection, in any process.

        It may be called from any thread. Raises `StorageFailed`.
        """
        with translate_db_errors(), self._lock:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the connection. Each later call raises `sqlite3.ProgrammingError`."""
        with self._lock:
            self._connection.close()
