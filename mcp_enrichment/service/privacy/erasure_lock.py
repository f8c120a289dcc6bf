"""Nothing about people is added while somebody is erased.

SQLite has one writer at a time. On Postgres a transaction that read before an erasure was committed
could write after it, and bring back what it has removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection


def lock_for_erasure(connection: Connection) -> None:
    """Until the transaction ends no other one adds or changes a contact or a request; those that
    were about to have been waited for."""
    _lock(connection, "contact_emails, requests", "SHARE ROW EXCLUSIVE")


def lock_for_import(connection: Connection) -> None:
    """What is read from here on knows of every erasure that began before the transaction ends."""
    _lock(connection, "contact_emails", "ROW EXCLUSIVE")


def _lock(connection: Connection, tables: str, mode: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {tables} IN {mode} MODE"))
