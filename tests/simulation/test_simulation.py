"""Fresh worlds keep every promise, and a token repeats its world exactly."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import token_of
from tests.simulation.run import simulation

ROOT = Path(__file__).parents[2]
WORLDS = 60


def test_fresh_worlds_keep_every_promise() -> None:
    first = secrets.randbelow(10**9)
    print(f"to run these again: python3 tasks.py simulate --first {first} --seeds {WORLDS}")
    with simulation() as it:
        for seed in range(first, first + WORLDS):
            it.run(token_of(seed))


@pytest.mark.parametrize("seed", range(8))
def test_a_token_repeats_its_world_event_by_event(seed: int) -> None:
    with simulation() as it:
        once = it.run(token_of(seed))
        again = it.run(token_of(seed))
    assert again.trace_lines == once.trace_lines
    assert again.scheduler.steps == once.scheduler.steps


def test_another_process_repeats_the_world_of_a_token_byte_by_byte() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--replay", token_of(1)]
    once, again = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True) for _ in "12")
    assert b"every promise held" in once.stdout
    assert again.stdout == once.stdout
