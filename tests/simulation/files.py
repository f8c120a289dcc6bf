"""The simulated disk below the files of a world, and the connections to it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from tests.simulation.disk import Disk
from tests.simulation.disk import Process as ProcessOnDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.scheduler import Process
    from tests.simulation.world import World


class Files(Disk):
    """The disk of a world. An opened file belongs to the process that the scheduler runs."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world.folder, seed=seed)
        self._world = world
        self._owners: dict[Process, ProcessOnDisk] = {}
        self.sleep = self._pass

    def owner(self) -> ProcessOnDisk:
        process = self._world.scheduler.current
        return self.of(process) if process else self._machine

    def of(self, process: Process) -> ProcessOnDisk:
        """The process as the disk knows it."""
        if process not in self._owners:
            self._owners[process] = known = self.process(f"{process.name} {len(self._owners)}")
            process.at_death.append(known.kill)
        return self._owners[process]

    def connect(
        self,
        process: Process | None,
        connect: Callable[..., sqlite3.Connection],
        *args: Any,
        **options: Any,
    ) -> sqlite3.Connection:
        """A connection of this process; None: of the machine, which only a power cut ends."""
        connection: Connection = connect(*args, factory=Connection, **options)  # type: ignore[assignment]
        if process:
            connection.world = self._world
            process.at_death.insert(0, connection.close)  # after it is dead to the disk
        return connection

    def _pass(self, seconds: float) -> None:
        self._world.scheduler.now += seconds


class Connection(sqlite3.Connection):
    """A connection that adds its commits to the trace."""

    world: World | None = None
    _seen = 0

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        cursor = super().execute(sql, *args)
        if sql == "COMMIT":
            self._note()
        return cursor

    def commit(self) -> None:
        super().commit()
        self._note()

    def _note(self) -> None:
        if self.world and self._seen != self.total_changes:
            self._seen = self.total_changes
            self.world.wrote = True
            self.world.trace(f"{self.world.who} commits")
