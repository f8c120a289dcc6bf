"""The statements that a database executes, and their plans."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from mcp_enrichment.service.db.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine


def plan_of(connection: Connection, statement: str, values: Any) -> Sequence[Any]:
    """The plan of a statement; on Postgres the plan for a table with many rows."""
    explain = "EXPLAIN QUERY PLAN"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN"
    return connection.exec_driver_sql(f"{explain} {statement}", values).all()


@contextmanager
def statements(of: Connection | Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed within the block, with their values."""
    said: list[tuple[str, Any]] = []

    def hear(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            said.append((statement, values))

    event.listen(of, "before_cursor_execute", hear)
    try:
        with _directly_executed(said):
            yield said
    finally:
        event.remove(of, "before_cursor_execute", hear)


@contextmanager
def _directly_executed(said: list[tuple[str, Any]]) -> Iterator[None]:
    """Adds those that SQLite's driver executes without SQLAlchemy."""

    def heard(execute: Any) -> Any:
        def method(self: Prepared, connection: Connection, *each: Any) -> Any:
            if connection.dialect.name == "sqlite":
                text, values_of = self._on_sqlite
                said.append((text, tuple(values_of(each[0]))))
            return execute(self, connection, *each)

        return method

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rows", "change"):
            patch.setattr(Prepared, name, heard(getattr(Prepared, name)))
        yield
