"""Statements of every request and lookup, compiled once.

On SQLite their text goes to the driver: SQLAlchemy takes four times as long as SQLite itself to
return a row. On Postgres SQLAlchemy executes them.
"""

from __future__ import annotations

import sqlite3
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Delete, Insert, Select, Update
    from sqlalchemy.sql.dml import ReturningUpdate
    from sqlalchemy.sql.elements import ColumnElement

    Parameters = Mapping[str, Any]
    Query = Select[Any] | ReturningUpdate[Any]
    Statement = Query | Insert | Update | Delete


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
        constants = {n: b.effective_value for n, b in compiled.binds.items() if not b.required}

        def values_of(parameters: Parameters) -> Sequence[Any]:
            given = {**constants, **parameters}
            return [given[name] for name in names]

        return str(compiled), values_of


class PreparedForEach:
    """A statement that is executed for each of some keys: on SQLite one by one, on Postgres, where
    each execution is a round trip, for all at once."""

    def __init__(self, statement: Query, key: ColumnElement[Any]) -> None:
        """`key`: the column that the keys are compared with."""
        self._one = Prepared(statement.where(key == bindparam("key")))
        self._all = statement.where(key.in_(bindparam("keys", expanding=True)))

    def rows(self, connection: Connection, keys: Iterable[Any]) -> Sequence[Sequence[Any]]:
        """Execute it; the rows that it returns, in any order."""
        if _sqlite(connection):
            return [row for key in keys for row in self._one.rows(connection, {"key": key})]
        return connection.execute(self._all, {"keys": list(keys)}).all()


def _sqlite(connection: Connection) -> sqlite3.Connection | None:
    driver = connection.connection.dbapi_connection
    return driver if isinstance(driver, sqlite3.Connection) else None
