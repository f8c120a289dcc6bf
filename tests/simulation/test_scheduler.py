"""The order of a simulated world: each order that processes can have, and no other."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.simulation.scheduler import Scheduler, Stuck, Thread

if TYPE_CHECKING:
    from tests.simulation.scheduler import Process

WORLDS = 50


async def _note(notes: list[str], *names: str) -> None:
    for name in names:
        notes.append(name)
        await anyio.lowlevel.checkpoint()


def test_processes_run_in_any_order_and_tasks_of_one_in_their_own() -> None:
    orders = set()
    for seed in range(WORLDS):
        notes: list[str] = []
        scheduler = Scheduler(Random(seed))  # noqa: S311
        tasks = []
        for name in "ab":
            process = scheduler.process(name)
            tasks += [process.start(_note(notes, f"{name}{n}")) for n in (1, 2)]
        scheduler.run(lambda tasks=tasks: all(task.done() for task in tasks), seconds=1)
        scheduler.close()
        assert notes.index("a1") < notes.index("a2")
        assert notes.index("b1") < notes.index("b2")
        orders.add(tuple(notes))
    assert len(orders) == 6


def test_a_dead_process_runs_no_further_and_its_threads_do_nothing() -> None:
    scheduler = Scheduler(Random(1))  # noqa: S311
    process, notes = scheduler.process("one"), []

    async def work() -> None:
        try:
            Thread(process).do(lambda: notes.append("thread"))
            scheduler.later(0.0, process.kill)
            await anyio.sleep(1)
        finally:
            notes.append("cleaned up" if process.is_alive else "closed")

    process.thread_delay = lambda: 2.0
    process.start(work())
    with pytest.raises(Stuck):
        scheduler.run(lambda: False, seconds=10)
    assert notes == []
    scheduler.close()


def test_hours_pass_at_once_and_what_never_ends_is_found() -> None:
    scheduler = Scheduler(Random(1))  # noqa: S311
    process: Process = scheduler.process("one")
    task = process.start(anyio.sleep(7200))
    with pytest.raises(Stuck):
        scheduler.run(task.done, seconds=3600)
    scheduler.run(task.done, seconds=7200)
    assert 7200 <= scheduler.now < 7201
    scheduler.close()


def test_what_a_program_raises_ends_the_world() -> None:
    async def fails() -> None:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError

    scheduler = Scheduler(Random(1))  # noqa: S311
    scheduler.process("one").start(fails())
    with pytest.raises(ZeroDivisionError):
        scheduler.run(lambda: False, seconds=1)
    scheduler.close()
