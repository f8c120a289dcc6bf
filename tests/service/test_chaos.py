"""The short chaos test: services that are killed again and again lose nothing, pay once, and try
each callback at most three times. `python3 tasks.py chaos` runs the long form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import chaos_fleet
from tests.support.chaos import chaos, drawn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are forked to start quickly"),
]
REQUESTS, KILLS = 200, 50
FLEET_KILLS = 12


async def test_services_that_are_killed_fifty_times_end_all_they_accepted(path: Path) -> None:
    told = await chaos(path, requests=REQUESTS, kills=KILLS, chance=drawn())
    print(told)
    told.must_show_something(KILLS)


async def test_a_fleet_whose_workers_are_killed_and_whose_postgres_crashes_ends_all_it_accepted(
    server: Server,
) -> None:
    told = await chaos_fleet.chaos(server, requests=REQUESTS, kills=FLEET_KILLS, chance=drawn())
    print(told)
    assert told.died_at_work > 2, "too few to show anything"
    assert told.cut > FLEET_KILLS
