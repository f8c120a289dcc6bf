"""Decides when a lookup is polled next, if the service does not hold its responses."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WEBHOOK_POLL_INTERVAL = 60.0
"""Seconds between two polls of a lookup whose webhook is expected, as the webhook may be lost."""
YOUNG_PAUSE = 0.5
"""Seconds between two polls of a young lookup: a quarter of a second of delay on average."""
AGE_SHARE = 0.1
"""A pause is this share of the age: the delay is a twentieth of it on average."""
LONGEST_YOUNG_PAUSE = 5.0
OLD_AGE_SHARE = 0.04
LONGEST_PAUSE = 15.0

MIN_DURATIONS = 10
"""The number of known durations from which on they are used."""
KEPT_DURATIONS = 200
WORTH_A_POLL = 0.025
"""Seconds of delay that one more poll must save."""
MAX_STRETCH = 1.5
"""A learned pause is at most this many times the pause by age."""
SHORTEST_PAUSE = 0.25
GROWTH = 0.1
"""Seconds by which each of the first pauses is longer than the one before."""
FIRST_MINUTE = 60.0
POLLS_IN_FIRST_MINUTE = 40
SPARE_POLLS = 3
"""Polls of the first minute that are kept free, as the estimate of those to come may be too low."""


class PollSchedule:
    """The pauses for one account. They follow from the durations of its earlier lookups.

    Pauses by age alone are worse than a fixed interval for lookups of some lengths
    (bench/README.md, `waiting`).
    """

    def __init__(self, durations: Iterable[float] = ()) -> None:
        self._durations = sorted(durations)

    def learn(self, seconds: float) -> None:
        """Add the duration of a lookup."""
        insort(self._durations, seconds)

    def pause(self, age: float, polls: int) -> float:
        """Seconds until the next poll of a lookup of this age, after this many polls."""
        by_age = _pause_by_age(age, polls)
        hazard = self._hazard(age, by_age)
        if hazard is None:
            return by_age
        # A pause p costs 1/p polls and hazard * p/2 of delay a second: this p costs the least.
        cheapest = math.sqrt(2 * WORTH_A_POLL / hazard)
        shortest = by_age if _is_over_limit(age, polls) else SHORTEST_PAUSE
        return max(min(cheapest, MAX_STRETCH * by_age), min(shortest, by_age))

    def _hazard(self, age: float, by_age: float) -> float | None:
        """The probability that a lookup of this age ends in the next second.

        None if it is unknown: too few durations, or none of this length.
        """
        ended = bisect_right(self._durations, age)
        left = len(self._durations) - ended
        if len(self._durations) < MIN_DURATIONS or not left:
            return None
        window = max(2 * by_age, age / 4, 1.0)
        ending = bisect_right(self._durations, age + window) - ended
        return (ending + 0.5) / (left + 1) / window


def _pause_by_age(age: float, polls: int) -> float:
    """The pause without known durations. The first polls come sooner, for quick lookups."""
    growing = max(min(GROWTH * (polls + 1), YOUNG_PAUSE), AGE_SHARE * age)
    return min(growing, max(LONGEST_YOUNG_PAUSE, OLD_AGE_SHARE * age), LONGEST_PAUSE)


def _is_over_limit(age: float, polls: int) -> bool:
    """Whether shorter pauses would exceed the polls of the first minute."""
    if age >= FIRST_MINUTE:
        return False
    steady = YOUNG_PAUSE / AGE_SHARE  # the age from which pauses grow
    to_come = math.log(FIRST_MINUTE / max(age, steady)) / math.log1p(AGE_SHARE)
    return (
        polls + to_come + max(steady - age, 0.0) / YOUNG_PAUSE > POLLS_IN_FIRST_MINUTE - SPARE_POLLS
    )
