"""Maps the drivers' errors, and those of a commit, to `StorageFailed`."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError

from mcp_enrichment.contract.errors import CommitUnknown, StorageFailed, StorageFault
from mcp_enrichment.file_locks import is_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: StorageFault.FULL,
    sqlite3.SQLITE_NOTADB: StorageFault.NOT_A_DATABASE,
    sqlite3.SQLITE_CORRUPT: StorageFault.NOT_A_DATABASE,
    sqlite3.SQLITE_CANTOPEN: StorageFault.NOT_WRITABLE,
    sqlite3.SQLITE_READONLY: StorageFault.NOT_WRITABLE,
    sqlite3.SQLITE_PERM: StorageFault.NOT_WRITABLE,
    sqlite3.SQLITE_IOERR: StorageFault.FULL,
    sqlite3.SQLITE_BUSY: StorageFault.BUSY,
    sqlite3.SQLITE_LOCKED: StorageFault.BUSY,
}
_BY_SQLSTATE = {
    "53100": StorageFault.FULL,
    "58030": StorageFault.FULL,  # an error of input or output
    "25006": StorageFault.NOT_PERMITTED,  # a standby, or set to read only
    "42501": StorageFault.NOT_PERMITTED,  # the role may not
    "40001": StorageFault.BUSY,
    "40P01": StorageFault.BUSY,
    "55P03": StorageFault.BUSY,
    "57014": StorageFault.BUSY,  # the statement ran into its time-out
    "42P01": StorageFault.OLDER_SCHEMA,  # a table is missing
}
_COLLISIONS = {"23505", "40001", "40P01"}
"""A unique violation, a serialization failure, a deadlock."""
_CONNECTION_LOST = ("08", "57P", "40003")
"""The connection failed, the server is stopping, or the result of the commit is unknown."""
_PRIMARY_CODE = 0xFF  # the low byte of SQLite's extended result codes


@contextmanager
def translate_db_errors() -> Iterator[None]:
    """Translate the driver's errors to `StorageFailed`."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        failure = to_storage_failed(error)
        if failure is None:
            raise
        raise failure from error


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """A transaction of this connection, committed if the block does not raise. Raises
    `CommitUnknown` if it is unknown whether a commit was saved."""
    with connection.begin() as begun:
        yield
        require_transaction(connection)
        try:
            begun.commit()
        except DBAPIError as error:
            writes = connection.get_execution_options().get("writes", False)
            if writes and may_be_committed(error):
                failed = to_storage_failed(error)
                raise CommitUnknown(failed.fault if failed else StorageFault.UNREACHABLE) from error
            raise


def require_transaction(connection: Connection) -> None:
    """Raise `StorageFailed` if SQLite has undone the whole transaction after an error, as on a full
    disk: further statements would not be part of any transaction."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection) and not driver.in_transaction:
        raise StorageFailed(StorageFault.FULL)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock."""
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk had no room."""
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_FULL


def to_storage_failed(error: DBAPIError | sqlite3.Error) -> StorageFailed | None:
    """The `StorageFailed` for a driver's error; None for a bug of ours, such as wrong SQL."""
    if isinstance(error, sqlite3.Error):
        return sqlite_failure(error)
    if isinstance(error.orig, sqlite3.Error) and hasattr(error.orig, "sqlite_errorcode"):
        return sqlite_failure(error.orig)
    if fault := _BY_SQLSTATE.get(_sqlstate(error)):
        return StorageFailed(fault)
    unreachable = error.connection_invalidated or isinstance(error, OperationalError)
    return StorageFailed(StorageFault.UNREACHABLE) if unreachable else None


def sqlite_failure(error: sqlite3.Error) -> StorageFailed | None:
    """The same for an error of SQLite's driver itself."""
    if not hasattr(error, "sqlite_errorcode"):
        return None  # the driver's own error, not SQLite's
    fault = _BY_SQLITE_CODE.get(error.sqlite_errorcode & _PRIMARY_CODE)
    if "no such table" in str(error):
        fault = StorageFault.NOT_A_DATABASE  # the file was replaced while it was open
    elif is_unsupported(error):
        fault = StorageFault.NO_LOCKS
    return StorageFailed(fault) if fault else None


def may_be_committed(error: DBAPIError) -> bool:
    """Whether a commit that failed may be saved: the server's answer was lost, or the disk failed
    during the commit."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return bool(code & _PRIMARY_CODE == sqlite3.SQLITE_IOERR)
    state = _sqlstate(error)
    return not state or state.startswith(_CONNECTION_LOST)


def is_conflict(error: DBAPIError) -> bool:
    """Whether a transaction on Postgres conflicts with another one, or lost its connection.

    It is repeated. On SQLite, with its single writer, it would have waited.
    """
    return error.connection_invalidated or _sqlstate(error) in _COLLISIONS


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
