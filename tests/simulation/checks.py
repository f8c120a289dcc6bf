"""The promises that hold after each step that wrote something, and at the end of a world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.evidence import evidence_of
from tests.support.invariants import AT_THE_END, check

if TYPE_CHECKING:
    import sqlite3

    from tests.simulation.world import World

OPEN = """
SELECT 'request ' || id FROM requests WHERE completed_at IS NULL
UNION ALL SELECT 'job ' || kind || ' ' || target_id FROM jobs"""


class Broken(AssertionError):
    """A promise is broken."""


class Checks:
    """Reads the files of a world from outside its processes."""

    def __init__(self, world: World, connection: sqlite3.Connection) -> None:
        self._world, self._connection = world, connection

    def after_write(self) -> None:
        """Raise `Violated` if a promise does not hold now."""
        check(evidence_of(self._world, self._rows))

    def open_work(self) -> list[str]:
        """The requests that are not final, and the jobs that are left."""
        return [what for (what,) in self._rows(OPEN)]

    def at_the_end(self) -> None:
        """Raise `Violated` or `Broken` if a promise does not hold at the end."""
        check(evidence_of(self._world, self._rows), AT_THE_END)
        self._misses()

    def _misses(self) -> None:
        """Nobody was told a miss while a vendor has an address."""
        world = self._world
        for face in world.faces:
            for asking in face.askings:
                profile, kind = asking.question.profile, asking.question.type
                for result in asking.results:
                    missed = all(
                        vendor.told[profile, kind, "miss"] for vendor in world.vendors_for(kind)
                    )
                    if result.status == "not-found" and not result.reason and not missed:
                        raise Broken(f"person {asking.question.number} was told a miss")

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()
