"""Items that arrive while a batch is processed go into the next batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client.concurrency import BatchLoader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskGroup

pytestmark = pytest.mark.anyio


class Work:
    """Work that finishes once `may_end` is set; records the items of each batch."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.given: list[list[int]] = []
        self.may_end = anyio.Event()
        self.batches = BatchLoader(self.do, tasks)

    async def do(self, items: Sequence[int]) -> int:
        self.given.append(list(items))
        await self.may_end.wait()
        if -1 in items:
            raise LookupError
        return sum(items)


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    async with anyio.create_task_group() as tasks:
        yield Work(tasks)
        tasks.cancel_scope.cancel()


async def test_what_comes_meanwhile_is_done_at_once(work: Work) -> None:
    told = list[int]()

    async def add(item: int) -> None:
        told.append(await work.batches.add([item]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add, 1)
        await anyio.wait_all_tasks_blocked()
        for item in range(2, 101):
            tasks.start_soon(add, item)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    assert work.given == [[1], list(range(2, 101))]
    assert told == [1] + [5049] * 99


async def test_all_are_told_at_the_same_moment_however_many_they_are(work: Work) -> None:
    told = list[int]()

    async def add(item: int) -> None:
        await work.batches.add([item])
        told.append(turns)

    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    async with anyio.create_task_group() as tasks:
        for item in range(1000):
            tasks.start_soon(add, item)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
        turn()
    assert len(told) == 1000
    assert max(told) - min(told) <= 1, "all results arrive within one iteration of the event loop"


async def test_whoever_leaves_in_the_middle_leaves_the_others_their_answer(work: Work) -> None:
    told = list[int]()

    async def add(item: int) -> None:
        told.append(await work.batches.add([item]))

    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(add, 1)
            tasks.start_soon(add, 2)
            await anyio.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        work.may_end.set()
    assert work.given == [[1, 2]]
    assert told == [3]


async def test_a_failure_is_told_to_all_of_its_batch_and_to_nobody_else(work: Work) -> None:
    failed = list[int]()

    async def add(item: int) -> None:
        try:
            await work.batches.add([item])
        except LookupError:
            failed.append(item)

    async with anyio.create_task_group() as tasks:
        for item in (1, -1, 2):
            tasks.start_soon(add, item)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    assert failed == [1, -1, 2]
    assert await work.batches.add([5]) == 5
