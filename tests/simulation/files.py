"""The files of a world: databases of processes that may die at any moment, on disks that fail."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.scheduler import Process
    from tests.simulation.world import World


class Disk:
    """Opens the connections of processes, closes those of dead ones, and fails when told to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.full_until = 0.0
        self.errors = 0
        """Commits that are to succeed and to report an error."""

    def fill_for(self, seconds: float) -> None:
        """Let no commit succeed for so long."""
        self._world.trace("the disk is full", seconds)
        self.full_until = self._world.scheduler.now + seconds

    def connect(
        self,
        process: Process,
        connect: Callable[..., sqlite3.Connection],
        *args: Any,
        **options: Any,
    ) -> sqlite3.Connection:
        """A connection of this process."""
        connection: Connection = connect(*args, factory=Connection, **options)  # type: ignore[assignment]
        connection.disk = self
        process.at_death.append(connection.die)
        return connection

    def committing(self, connection: sqlite3.Connection, commit: Callable[[], Any]) -> Any:
        """Commit, if the disk lets it."""
        if not connection.in_transaction:
            return commit()
        changed = connection.total_changes
        scheduler = self._world.scheduler
        if self.full_until > scheduler.now and changed != connection.seen_changes:  # type: ignore[attr-defined]
            connection.rollback()
            raise _error("database or disk is full", sqlite3.SQLITE_FULL)
        done = commit()
        if changed != connection.seen_changes:  # type: ignore[attr-defined]
            connection.seen_changes = changed  # type: ignore[attr-defined]
            self._world.wrote = True
            self._world.trace(f"{self._world.who} commits")
            if self.errors:
                self.errors -= 1
                self._world.trace(f"{self._world.who} is told that the commit failed")
                raise _error("disk I/O error", sqlite3.SQLITE_IOERR)
        return done


def _error(text: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class Connection(sqlite3.Connection):
    """A connection whose commits the disk sees."""

    disk: Disk
    seen_changes = 0
    is_dead = False

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        run = super().execute
        if sql == "COMMIT":
            return self.disk.committing(self, lambda: run(sql))  # type: ignore[no-any-return]
        return run(sql, *args)

    def commit(self) -> None:
        self.disk.committing(self, super().commit)

    def die(self) -> None:
        """Close it as the system does at the death of its process."""
        if self.is_dead:
            return
        self.is_dead = True
        self.close()
