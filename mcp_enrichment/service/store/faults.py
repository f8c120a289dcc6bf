"""What a database can refuse, in one place: the driver's errors become `StorageFailed`."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

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
_PRIMARY_CODE = 0xFF  # the low byte of SQLite's extended result codes


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection was in the way."""
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk had no room."""
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_FULL


def storage_failed(error: DBAPIError) -> StorageFailed | None:
    """The failure behind a driver's error; None where it is a defect of ours, such as bad SQL."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        fault = _BY_SQLITE_CODE.get(code & _PRIMARY_CODE)
        if "no such table" in str(error.orig):
            fault = StorageFault.NOT_A_DATABASE  # the file was replaced while it was open
        return StorageFailed(fault) if fault else None
    unreachable = error.connection_invalidated or isinstance(error, OperationalError)
    return StorageFailed(StorageFault.UNREACHABLE) if unreachable else None
