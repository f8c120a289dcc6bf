"""The promises that hold after each step that wrote something, and at the end of a world."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    from tests.simulation.world import World

BALANCES = """
SELECT t.name FROM teams t LEFT JOIN ledger l ON l.team_id = t.id GROUP BY t.id
HAVING t.available < 0 OR t.held < 0
  OR t.available != coalesce(sum(CASE l.kind WHEN 'hold' THEN -amount WHEN 'settle' THEN 0
                                             ELSE amount END), 0)
  OR t.held != coalesce(sum(CASE l.kind WHEN 'hold' THEN amount WHEN 'settle' THEN -amount
                                        WHEN 'release' THEN -amount ELSE 0 END), 0)"""
HOLDS = """
SELECT request_id, group_concat(kind) FROM (SELECT * FROM ledger ORDER BY id)
WHERE request_id IS NOT NULL GROUP BY request_id
HAVING group_concat(kind) NOT IN ('hold', 'hold,settle', 'hold,release')"""
ATTEMPTS = """
SELECT callback_id, round FROM callback_attempts GROUP BY callback_id, round HAVING count(*) > 3"""
OPEN = """
SELECT 'request ' || id FROM requests WHERE completed_at IS NULL
UNION ALL SELECT 'job ' || kind || ' ' || target_id FROM jobs"""
AFTER_EACH_WRITE = {
    "the credits of a team are not the sum of its ledger": BALANCES,
    "a hold was closed twice, or never made": HOLDS,
    "a callback was tried more than three times": ATTEMPTS,
}
"""Queries that find a broken promise."""


class Broken(AssertionError):
    """A promise is broken."""


class Checks:
    """Reads the files of a world from outside its processes."""

    def __init__(self, world: World, connection: sqlite3.Connection) -> None:
        self._world, self._connection = world, connection

    def after_write(self) -> None:
        """Raise `Broken` if a promise does not hold now."""
        for promise, query in AFTER_EACH_WRITE.items():
            if found := self._rows(query):
                raise Broken(f"{promise}: {found}")

    def open_work(self) -> list[str]:
        """The requests that are not final, and the jobs that are left."""
        return [what for (what,) in self._rows(OPEN)]

    def at_the_end(self) -> None:
        """Raise `Broken` if a promise does not hold at the end."""
        self.after_write()
        self._calls_of_vendors()
        self._answers()

    def _calls_of_vendors(self) -> None:
        """Each vendor was asked at most once for a request."""
        requests = Counter(self._rows("SELECT linkedin_url, type FROM requests"))
        for vendor in self._world.vendors.values():
            searches = Counter(
                (a.profile, a.type) for a in vendor.invoice if a.end in vendor.ends.values()
            )
            for question, asked in searches.items():
                if asked > requests[question] + self._world.erasures:
                    raise Broken(f"{vendor.name} was paid {asked} times for {question}")

    def _answers(self) -> None:
        """Nobody was told what no source has said."""
        world = self._world
        for face in world.faces:
            for asking in face.askings:
                profile, kind = asking.question.profile, asking.question.type
                for result in asking.results:
                    known = {v.address(profile, kind) for v in world.vendors.values()}
                    if result.email and result.email not in known | world.imported:
                        raise Broken(f"person {asking.question.number} got {result.email}")
                    missed = all(
                        vendor.told[profile, kind, "miss"] for vendor in world.vendors_for(kind)
                    )
                    if result.status == "not-found" and not result.reason and not missed:
                        raise Broken(f"person {asking.question.number} was told a miss")

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()
