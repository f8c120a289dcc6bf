"""INSERT … ON CONFLICT, which both databases have, and writing many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import literal_column
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection, Table
    from sqlalchemy.engine.default import DefaultDialect

    Insert = sqlite.Insert | postgresql.Insert

_OF_DIALECT: dict[str, Callable[[Table], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_PLACES: dict[str, Literal["qmark", "format"]] = {"sqlite": "qmark", "postgresql": "format"}
"""The parameter style of each driver."""


RENEWED_AFTER: ColumnElement[float] = literal_column("86400.0")
"""Seconds after which an unchanged row that is imported again counts as new. Its retention starts
again then; sooner that is not worth a write."""
CACHE_KIB = 8 * 2**10
"""A transaction's changes fit in, so that no page is written twice."""
LOG_PAGES = 16 * 2**10
"""64 MiB: a page that several transactions change is written back once for all of them."""


def is_renewed(new: Insert, table: Table) -> ColumnElement[bool]:
    """Whether the row is as new as the stored one, and was imported at least a day after it."""
    as_new = new.excluded.seen_at == table.c.seen_at
    return as_new & (new.excluded.imported_at > table.c.imported_at + RENEWED_AFTER)


def upsert(connection: Connection, table: Table) -> Insert:
    """An insert into the table with an ON CONFLICT clause."""
    return upsert_of(connection.dialect.name, table)


def upsert_of(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """`upsert` for a dialect, for statements that are built once."""
    return _OF_DIALECT[dialect](table)


def execute_for_each(
    connection: Connection, statement: Insert, rows: Sequence[tuple[Any, ...]]
) -> int:
    """Execute the statement for each row; the number of rows inserted or changed.

    A row has the table's columns in their order, with values that the driver takes: SQLAlchemy,
    which looks at each of them, takes longer than SQLite.
    """
    of_driver = cast("type[DefaultDialect]", type(connection.dialect))
    dialect = of_driver(paramstyle=_PLACES[connection.dialect.name])
    compiled = statement.compile(dialect=dialect, column_keys=statement.table.c.keys())
    return connection.exec_driver_sql(str(compiled), list(rows)).rowcount


def tune_sqlite(connection: Connection) -> None:
    """Make SQLite write each page less often, on this connection until it is closed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
