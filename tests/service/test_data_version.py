"""On a SQLite file, a process that holds a GET notices when another process completes the lookup.

It reads only after a change, and failures do not stop it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.sqlite import DataVersion, open_sqlite
from mcp_enrichment.service.requests import completion_waiter, request_table
from tests.support.running_service import HIT, FixedSource, RunningService, running_service, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio
INSERT = "INSERT INTO suppressions VALUES ('x', 'profile', 0)"
ELSEWHERE = f"""
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute({INSERT!r})
"""


class Looks:
    """Counts the looks; each of its failures is raised once."""

    def __init__(self, look: Callable[[], int]) -> None:
        self.count = 0
        self.failures: list[Exception] = []
        self._look = look

    def __call__(self) -> int:
        self.count += 1
        if self.failures:
            raise self.failures.pop()
        return self._look()

    async def several_more(self) -> None:
        before = self.count
        await until(lambda: self.count > before + 3)


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[tuple[RunningService, Looks]]:
    """A service without jobs that watches for completions, and its looks."""
    async with running_service(path, jobs=False) as it, anyio.create_task_group() as tasks:
        assert it.service.database.data_version
        looks = it.service.database.data_version = Looks(it.service.database.data_version)
        tasks.start_soon(it.service.completion_waiter.watch)
        yield it, looks
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def waiting(it: RunningService) -> AsyncIterator[list[None]]:
    """Wait for a new request within the block; the list is not empty once the wait is over."""
    request_id, woken = await it.accepted(), list[None]()

    async def wait() -> None:
        await it.service.completion_waiter.wait(request_id, 3600)
        woken.append(None)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        yield woken
        tasks.cancel_scope.cancel()


async def complete_elsewhere(path: Path) -> None:
    async with running_service(path, FixedSource(HIT)) as there:
        await until(lambda: there.rows("SELECT * FROM jobs") == [])


def test_each_commit_elsewhere_changes_the_number_and_nothing_else_does(path: Path) -> None:
    database = open_sqlite(path)
    look = database.data_version
    assert look
    first = look()
    assert look() == first
    with closing(sqlite3.connect(path)) as another, another:
        another.execute("DELETE FROM suppressions")
        another.execute("UPDATE privacy_key SET key = key")
    second = look()
    assert look() == second != first
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(path)], check=True)
    assert look() != second
    database.close()
    with pytest.raises(sqlite3.ProgrammingError):
        look()


def test_a_look_waits_for_no_writer(path: Path) -> None:
    open_sqlite(path).close()
    version = DataVersion(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        before = version()
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute(INSERT)
        assert version() == before
        writer.execute("COMMIT")
        assert version() != before
    version.close()


def test_what_is_no_database_is_a_failure_of_the_storage(tmp_path: Path) -> None:
    file = tmp_path / "no.db"
    file.write_bytes(b"no database " * 1000)
    version = DataVersion(file)
    with pytest.raises(StorageFailed) as failed:
        version()
    assert failed.value.fault is StorageFault.NOT_A_DATABASE
    version.close()


async def test_the_requests_are_read_only_after_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    read = request_table.final_among
    monkeypatch.setattr(
        request_table, "final_among", lambda c, ids: reads.append(ids) or read(c, ids)
    )
    async with watching(path) as (it, looks), waiting(it) as woken:
        await looks.several_more()
        so_far = len(reads)
        await looks.several_more()
        assert len(reads) == so_far
        await complete_elsewhere(path)
        await until(lambda: bool(woken))


async def test_looks_are_seldom_while_nothing_changes_and_often_after_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(0.001)

    monkeypatch.setattr(completion_waiter, "time", SimpleNamespace(sleep=sleep))
    async with watching(path) as (it, _), waiting(it):
        await until(lambda: completion_waiter.LONGEST_PAUSE in pauses)
        so_far = pauses.count(completion_waiter.SHORTEST_PAUSE)
        await it.service.database.check()  # it changes the database
        await until(lambda: pauses.count(completion_waiter.SHORTEST_PAUSE) > so_far)


async def test_nobody_looks_while_nobody_waits(path: Path) -> None:
    async with watching(path) as (it, looks):
        async with waiting(it):
            await looks.several_more()
        await anyio.sleep(2 * completion_waiter.LONGEST_PAUSE)  # a look under way ends
        so_far = looks.count
        await anyio.sleep(2 * completion_waiter.LONGEST_PAUSE)  # nothing happens
        assert looks.count == so_far
        async with waiting(it):
            await looks.several_more()


async def test_of_consecutive_failures_the_first_is_logged_and_the_watch_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(completion_waiter, "RETRY_AFTER_FAILURE", 0.01)
    async with watching(path) as (it, looks), waiting(it) as woken:
        for outage in (1, 2):
            looks.failures += [StorageFailed(StorageFault.BUSY)] * 5
            await until(lambda: not looks.failures)
            await looks.several_more()
            assert caplog.text.count("completions cannot be polled") == outage
        await complete_elsewhere(path)
        await until(lambda: bool(woken))


async def test_a_change_is_not_lost_when_it_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion_waiter, "RETRY_AFTER_FAILURE", 0.01)

    async def fail() -> None:
        raise StorageFailed(StorageFault.BUSY)

    async with watching(path) as (it, looks), waiting(it) as woken:
        await looks.several_more()
        with monkeypatch.context() as patched:
            patched.setattr(it.service.completion_waiter, "_notify_all_final", fail)
            await complete_elsewhere(path)
            await looks.several_more()
        await until(lambda: bool(woken))


async def test_a_deleted_file_ends_no_watch(path: Path) -> None:
    async with watching(path) as (it, looks), waiting(it) as woken:
        await looks.several_more()
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        await looks.several_more()
        it.service.completion_waiter.release_waiters()
        await until(lambda: bool(woken))
