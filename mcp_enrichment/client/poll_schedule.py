"""When a lookup is read next, against a server that does not hold its answers."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVEN_PAUSE = 0.5
"""Seconds between two reads of a young lookup: a quarter of a second of delay on average."""
AGE_SHARE = 0.1
"""A pause is this share of the age, so that the delay is a twentieth of it on average."""
LONGEST_YOUNG_PAUSE = 5.0
OLD_AGE_SHARE = 0.04
LONGEST_PAUSE = 15.0

LEARNED_FROM = 10
"""Durations that are too few to learn anything from."""
KEPT_DURATIONS = 200
WORTH_A_READ = 0.025
"""Seconds of delay that one more request may save to be worth it."""
STRETCH = 1.5
"""A pause is at most this much longer than it would be where nothing was learned."""
SHORTEST_PAUSE = 0.25
FIRST_MINUTE = 60.0
READS_IN_FIRST_MINUTE = 40


class PollSchedule:
    """The pauses of one account, learned from how long its lookups took before."""

    def __init__(self, durations: Iterable[float] = ()) -> None:
        self._took = sorted(durations)

    def learn(self, seconds: float) -> None:
        """A lookup has taken so long."""
        insort(self._took, seconds)

    def pause(self, age: float, reads: int) -> float:
        """Seconds until the next read of a lookup of this age that was read so often."""
        by_age = _by_age(age, reads)
        risk = self._risk(age, by_age)
        if risk is None:
            return by_age
        # Pauses of p cost 1/p requests and risk * p/2 of delay a second: this p costs the least.
        cheapest = math.sqrt(2 * WORTH_A_READ / risk)
        shortest = by_age if _spent(age, reads) else SHORTEST_PAUSE
        return max(min(cheapest, STRETCH * by_age), min(shortest, by_age))

    def _risk(self, age: float, by_age: float) -> float | None:
        """How likely a lookup of this age ends within the next second; None where that is unknown:
        too few were seen, or none that lasted so long."""
        ended = bisect_right(self._took, age)
        left = len(self._took) - ended
        if len(self._took) < LEARNED_FROM or not left:
            return None
        ahead = max(2 * by_age, age / 4, 1.0)
        ending = bisect_right(self._took, age + ahead) - ended
        return (ending + 0.5) / (left + 1) / ahead


def _by_age(age: float, reads: int) -> float:
    """The pause where nothing was learned. The first reads come sooner, for quick lookups."""
    growing = max(min(0.1 * (reads + 1), EVEN_PAUSE), AGE_SHARE * age)
    return min(growing, max(LONGEST_YOUNG_PAUSE, OLD_AGE_SHARE * age), LONGEST_PAUSE)


def _spent(age: float, reads: int) -> bool:
    """Whether pauses shorter than those by age would be too many in the first minute."""
    if age >= FIRST_MINUTE:
        return False
    steady = EVEN_PAUSE / AGE_SHARE  # the age from which pauses grow
    to_come = math.log(FIRST_MINUTE / max(age, steady)) / math.log1p(AGE_SHARE)
    return reads + to_come + max(steady - age, 0.0) / EVEN_PAUSE > READS_IN_FIRST_MINUTE - 3
