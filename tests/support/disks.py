"""The disk under every database of this process, set anew for each transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection


@contextmanager
def disk_under_databases(disk: Callable[[Any], None]) -> Iterator[None]:
    """Within it each transaction gives its driver's connection to `disk` first."""

    def begin(connection: Connection) -> None:
        disk(connection.connection.driver_connection)

    event.listen(Engine, "begin", begin)
    try:
        yield
    finally:
        event.remove(Engine, "begin", begin)
