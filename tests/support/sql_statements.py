"""The statements that a database executes, and their plans."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

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
        yield said
    finally:
        event.remove(of, "before_cursor_execute", hear)
