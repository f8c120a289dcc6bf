"""The short chaos test: services that are killed again and again lose nothing, pay once, and try
each callback at most three times. `python3 tasks.py chaos` runs the long form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import chaos_fleet
from tests.support.chaos import chaos, seeded_random

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are forked to start quickly"),
]
REQUESTS, KILLS = 200, 50
FLEET_KILLS = 12


async def test_services_that_are_killed_fifty_times_complete_all_requests(path: Path) -> None:
    figures = await chaos(path, requests=REQUESTS, kills=KILLS, chance=seeded_random())
    print(figures)
    figures.require_deaths_and_faults(KILLS)


async def test_a_fleet_with_killed_workers_and_a_crashing_postgres_completes_all_requests(
    server: Server,
) -> None:
    figures = await chaos_fleet.chaos(
        server, requests=REQUESTS, kills=FLEET_KILLS, chance=seeded_random()
    )
    print(figures)
    assert figures.died_at_work > 2, "too few to show anything"
    assert figures.cut > FLEET_KILLS
