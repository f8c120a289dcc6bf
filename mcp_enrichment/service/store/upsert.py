"""INSERT … ON CONFLICT, which both databases know in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Dialect, Table

    Insert = sqlite.Insert | postgresql.Insert

_OF_DIALECT: dict[str, Callable[[Table], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_PSYCOPG: Any = PGDialect_psycopg
_IN_ORDER: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(),
    "postgresql": _PSYCOPG(paramstyle="format"),
}
"""Writes statements whose values come in an order, not by name."""


def upsert(connection: Connection, table: Table) -> Insert:
    """An insert into the table that can say what to do where a row is there already."""
    return _OF_DIALECT[connection.dialect.name](table)


def execute_for_each(
    connection: Connection, statement: Insert, rows: Sequence[tuple[Any, ...]]
) -> int:
    """Run the statement for each row; how many it has inserted or changed.

    A row has the table's columns in their order, with values that the driver takes: SQLAlchemy,
    which looks at each of them, takes longer than SQLite.
    """
    dialect = _IN_ORDER[connection.dialect.name]
    compiled = statement.compile(dialect=dialect, column_keys=statement.table.c.keys())
    return connection.exec_driver_sql(str(compiled), list(rows)).rowcount
