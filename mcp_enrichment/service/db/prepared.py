"""Statements of every request and lookup, compiled once.

On SQLite their text goes to the driver: SQLAlchemy takes four times as long as SQLite itself to
return a row. On Postgres SQLAlchemy executes them.
"""

from __future__ import annotations

import sqlite3
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Delete, Insert, Select, Update

    Parameters = Mapping[str, Any]
    Statement = Select[Any] | Insert | Update | Delete


class Prepared:
    """A statement whose columns hold numbers and texts, which need no conversion."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        """`columns`: those that an INSERT or an UPDATE without values sets."""
        self._statement, self._columns = statement, columns

    def rows(self, connection: Connection, parameters: Parameters) -> Sequence[Sequence[Any]]:
        """Execute it; the rows that it returns."""
        if driver := _sqlite(connection):
            text, values_of = self._on_sqlite
            return driver.execute(text, values_of(parameters)).fetchall()
        return connection.execute(self._statement, parameters).all()

    def first(self, connection: Connection, parameters: Parameters) -> Sequence[Any] | None:
        """Execute it; the first row, None if there is none."""
        return next(iter(self.rows(connection, parameters)), None)

    def change(self, connection: Connection, *each: Parameters) -> int:
        """Execute it for each of the parameters, of which there is one at least; the number of rows
        changed."""
        if driver := _sqlite(connection):
            text, values_of = self._on_sqlite
            return driver.executemany(text, map(values_of, each)).rowcount
        return connection.execute(self._statement, each).rowcount

    @cached_property
    def _on_sqlite(self) -> tuple[str, Callable[[Parameters], Sequence[Any]]]:
        """The text, and a function that puts parameters in its order."""
        compiled = self._statement.compile(
            dialect=SQLiteDialect_pysqlite(), column_keys=self._columns
        )
        names = compiled.positiontup or []
        constants = {n: v for n, v in compiled.params.items() if v is not None}

        def values_of(parameters: Parameters) -> Sequence[Any]:
            given = {**constants, **parameters}
            return [given[name] for name in names]

        return str(compiled), values_of


def _sqlite(connection: Connection) -> sqlite3.Connection | None:
    driver = connection.connection.driver_connection
    return driver if isinstance(driver, sqlite3.Connection) else None
