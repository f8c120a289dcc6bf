"""The poll schedule follows a lookup's age and learned durations (tested without waiting)."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client import poll_schedule
from mcp_enrichment.client.poll_schedule import PollSchedule

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN: dict[str, Callable[[random.Random], float]] = {
    "seconds to minutes": lambda chance: math.exp(chance.uniform(math.log(0.3), math.log(120))),
    "half a minute": lambda chance: chance.gauss(25, 3),
    "a moment": lambda chance: chance.uniform(0.1, 0.3),
    "minutes": lambda chance: chance.uniform(120, 600),
}


def _taught(seen: str) -> PollSchedule:
    chance = random.Random(7)  # noqa: S311
    return PollSchedule(SEEN[seen](chance) for _ in range(100))


def _reads(made: PollSchedule, until: float) -> list[float]:
    times, age = [], 0.0
    while age < until:
        times.append(age)
        age += made.pause(age, len(times) - 1)
    return times


@pytest.mark.parametrize("made", [PollSchedule(), *map(_taught, SEEN)], ids=["nothing", *SEEN])
def test_a_lookup_is_read_at_most_40_times_in_its_first_minute(made: PollSchedule) -> None:
    assert len(_reads(made, 60)) <= poll_schedule.POLLS_IN_FIRST_MINUTE


def test_an_answer_is_late_by_a_twentieth_of_its_age_or_a_quarter_of_a_second_on_average() -> None:
    for before, after in pairwise(_reads(PollSchedule(), 130)):
        mean_delay = (after - before) / 2
        middle = (after + before) / 2
        assert mean_delay <= max(0.25, 0.05 * middle)


def test_reads_come_closer_together_where_lookups_have_ended_before() -> None:
    taught, untaught = _taught("half a minute"), PollSchedule()
    assert taught.pause(25, 20) < untaught.pause(25, 20) / 2
    assert taught.pause(10, 15) > untaught.pause(10, 15)


def test_a_lookup_that_outlasts_all_that_were_seen_is_read_by_its_age() -> None:
    assert _taught("a moment").pause(40, 30) == PollSchedule().pause(40, 30)


def test_a_duration_that_is_learned_while_running_counts_from_then_on() -> None:
    learning = PollSchedule()
    before = learning.pause(25, 20)
    for _ in range(poll_schedule.MIN_DURATIONS):
        assert learning.pause(25, 20) == before
        learning.learn(25.5)
    assert learning.pause(25, 20) < before


def test_a_lookup_that_never_ends_is_read_at_a_bounded_pace() -> None:
    assert PollSchedule().pause(1e9, 10_000) == poll_schedule.LONGEST_PAUSE


def test_the_first_reads_come_soon() -> None:
    assert [round(t, 1) for t in _reads(PollSchedule(), 0.9)] == [0.0, 0.1, 0.3, 0.6]
