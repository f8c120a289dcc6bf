"""A database whose disk is full after a number of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")


class FullDiskDatabase(Database):
    """A database whose disk becomes full within a transaction, or at its commit."""

    def __init__(self, database: Database, after: int) -> None:
        super().__init__(database._engine, database.pseudonyms, queue=database.queue)
        self._after = after

    def write_now(self, work: Callable[[Connection], T]) -> T:
        left = self._after

        def execute(*_: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise StorageFailed(StorageFault.FULL)

        def fails(connection: Connection) -> T:
            event.listen(connection, "before_execute", execute)
            work(connection)
            raise StorageFailed(StorageFault.FULL)

        return super().write_now(fails)
