"""Writes to the state file that wait at the same time share one commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from tests.support.running_service import until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Calls:
    """Calls of a file whose thread is held up until `may_end` is set."""

    def __init__(self, file: SQLiteFile) -> None:
        self.may_end = threading.Event()
        self._file = file

    def hold(self, _db: sqlite3.Connection) -> None:
        self.may_end.wait(HANG)

    def add(self, db: sqlite3.Connection, account: str) -> str:
        db.execute("INSERT INTO idempotent_accounts VALUES (?)", (account,))
        return account

    async def stored(self) -> list[str]:
        select = "SELECT account FROM idempotent_accounts ORDER BY account"
        return [one for (one,) in await self._file.read(lambda db: db.execute(select).fetchall())]


@pytest.fixture
async def file(memory: Path) -> AsyncIterator[SQLiteFile]:
    with closing(SQLiteFile(memory, SCHEMA)) as file:
        await file.run(lambda _db: None)
        yield file


@pytest.fixture
def calls(file: SQLiteFile) -> Calls:
    return Calls(file)


@pytest.fixture
def commits(file: SQLiteFile, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The transactions of the file from now on, failed ones too."""
    begun: list[object] = []
    write = file._write
    monkeypatch.setattr(file, "_write", lambda work: begun.append(work) or write(work))
    return begun


async def test_calls_that_come_during_a_commit_share_the_next_one(
    file: SQLiteFile, calls: Calls, commits: list[object]
) -> None:
    results: list[str] = []

    async def add(account: str) -> None:
        results.append(await file.run(lambda db: calls.add(db, account)))

    accounts = [f"{number:03}" for number in range(100)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(file.run, calls.hold)
        await until(lambda: len(commits) == 1)
        for account in accounts:
            tasks.start_soon(add, account)
        await anyio.wait_all_tasks_blocked()
        calls.may_end.set()
    assert sorted(results) == accounts == await calls.stored()
    assert len(commits) == 2


async def test_calls_of_tasks_that_are_ready_at_once_share_a_commit_and_so_do_their_next_ones(
    file: SQLiteFile, calls: Calls, commits: list[object]
) -> None:
    async def add_two(number: int) -> None:
        for account in (f"{number:03}a", f"{number:03}b"):
            await file.run(lambda db, one=account: calls.add(db, one))

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(add_two, number)
    assert len(await calls.stored()) == 200
    assert len(commits) == 2


async def test_a_call_that_was_made_before_the_file_is_closed_is_done(
    file: SQLiteFile, calls: Calls
) -> None:
    closed = threading.Event()
    added = asyncio.ensure_future(file.run(lambda db: calls.add(db, "a")))
    await asyncio.sleep(0)  # the call is made, and its thread not asked yet
    file.close(then=closed.set)
    await added
    await anyio.to_thread.run_sync(closed.wait, HANG)
    assert file._writer._db is None, "it was not opened again"
    assert await calls.stored() == ["a"]


@pytest.mark.parametrize("error", [LookupError(), StorageFailed(StorageFault.BUSY)])
async def test_a_call_that_fails_leaves_the_others_of_its_group_their_result(
    file: SQLiteFile, calls: Calls, commits: list[object], error: Exception
) -> None:
    failed: list[str] = []

    async def add(account: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            calls.add(db, account)
            if account == "b":
                raise error

        try:
            await file.run(work)
        except type(error):
            failed.append(account)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(file.run, calls.hold)
        await until(lambda: len(commits) == 1)
        for account in "abc":
            tasks.start_soon(add, account)
        await anyio.wait_all_tasks_blocked()
        calls.may_end.set()
    assert failed == ["b"]
    assert await calls.stored() == ["a", "c"]


async def test_a_cancelled_call_leaves_the_others_of_its_group_their_result(
    file: SQLiteFile, calls: Calls, commits: list[object]
) -> None:
    async def add(account: str) -> None:
        await file.run(lambda db: calls.add(db, account))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(file.run, calls.hold)
        await until(lambda: len(commits) == 1)
        async with anyio.create_task_group() as cancelled:
            cancelled.start_soon(add, "a")
            tasks.start_soon(add, "b")
            await anyio.wait_all_tasks_blocked()
            cancelled.cancel_scope.cancel()
        calls.may_end.set()
    assert await calls.stored() == ["b"]


async def test_a_lock_of_another_process_is_waited_for_once_for_all_calls_of_a_group(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    with closing(SQLiteFile(memory, SCHEMA, busy_timeout=0.05)) as file:
        await file.run(lambda _db: None)
        write = file._write
        monkeypatch.setattr(file, "_write", lambda work: begun.append(work) or write(work))
        with closing(sqlite3.connect(memory, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            tasks = [asyncio.ensure_future(file.run(lambda _db: None)) for _ in range(20)]
            results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, StorageFailed) for one in results)
    assert len(begun) < len(results)
