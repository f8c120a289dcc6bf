"""Reads a few rows of a SQLite file in the calling thread.

In WAL mode a reader waits for no writer, and a row is read in less time than another thread takes
to begin. A read that would have to wait, or fails, is refused: a thread repeats it.

Each statement is a transaction of its own, so a later one never reads an older state. BEGIN and
COMMIT would let the other threads take Python's lock twice more, and each time this one waits.
"""

from __future__ import annotations

import sqlite3
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

T = TypeVar("T")


class NotReadable(Exception):
    """The rows cannot be read in this thread now."""


class InlineReader:
    """One connection, which never waits for a lock."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.execution_options(begins=False).connect()
        driver: Any = self._connection.connection.driver_connection
        for pragma in ("busy_timeout=0", "query_only=ON"):
            driver.execute(f"PRAGMA {pragma}")
        self._reading = Lock()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` and return what it returns. Raises `NotReadable`."""
        if not self._reading.acquire(blocking=False):
            raise NotReadable
        try:
            if self._connection.closed:
                raise NotReadable
            try:
                return work(self._connection)
            finally:
                self._connection.rollback()  # of statements that SQLAlchemy has executed
        except (DBAPIError, sqlite3.Error, StorageFailed) as error:
            raise NotReadable from error
        finally:
            self._reading.release()

    def close(self) -> None:
        """Close the connection. Each later read raises `NotReadable`."""
        with self._reading:
            if not self._connection.closed:
                self._connection.invalidate()  # no other use gets it, with its settings
                self._connection.close()
