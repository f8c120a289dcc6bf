"""Writes of any kind that come at the same time share one commit, which costs none of them its
result. A write that comes alone waits for no other. A read sees every commit before it."""

from __future__ import annotations

import gc
import sqlite3
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from mcp_enrichment.contract.errors import CommitUnknown, StorageFailed, StorageFault
from tests.support.databases import open_place
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database

pytestmark = pytest.mark.anyio
ADD = text("INSERT INTO teams (name, created_at, available, held) VALUES (:name, 0, 0, 0)")
NAMES = "SELECT name FROM teams ORDER BY name"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = open_place(path)
    yield database
    database.close()


class Writes:
    """Writes that wait together: behind one that holds the writer until all have come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holds, self._may_go_on = threading.Event(), threading.Event()
        self.outcomes: dict[str, object] = {}
        self.commits = 0
        self.before_commits: Callable[[], object] = lambda: None

    async def all_at_once(self, **works: Callable[[Connection], Any]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, "holds", self._hold)
            await anyio.to_thread.run_sync(self._holds.wait)
            for name, work in works.items():
                tasks.start_soon(self._write, name, work)
            await anyio.wait_all_tasks_blocked()
            event.listen(self._database._engine, "commit", self._count)
            self.before_commits()
            self._may_go_on.set()
        del self.outcomes["holds"]

    def _hold(self, _connection: Connection) -> None:
        self._holds.set()
        assert self._may_go_on.wait(HANG)

    async def _write(self, name: str, work: Callable[[Connection], Any]) -> None:
        try:
            self.outcomes[name] = await self._database.write(work)
        except (ValueError, StorageFailed) as raised:
            self.outcomes[name] = raised

    def _count(self, _connection: Connection) -> None:
        self.commits += 1


def _adds(name: str) -> Callable[[Connection], str]:
    def add(connection: Connection) -> str:
        connection.execute(ADD, {"name": name})
        return name

    return add


def _adds_and_raises(connection: Connection) -> None:
    _adds("of the one that raises")(connection)
    raise ValueError


def _fills_the_disk(connection: Connection) -> None:
    """As SQLite does on a full disk: it undoes the whole transaction."""
    driver: Any = connection.connection.driver_connection
    driver.rollback()
    raise StorageFailed(StorageFault.FULL)


def _error_of_the_disk() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


def _names(database: Database) -> list[str]:
    return list(database.read_now(lambda c: c.execute(text(NAMES)).scalars().all()))


async def test_writes_of_different_kinds_are_one_commit(database: Database) -> None:
    writes = Writes(database)
    await writes.all_at_once(one=_adds("one"), two=_adds("two"), three=_adds("three"))
    assert writes.outcomes == {"one": "one", "two": "two", "three": "three"}
    assert writes.commits <= 2, "that of the write they waited behind, and theirs"
    assert _names(database) == ["one", "three", "two"]


async def test_one_that_raises_is_undone_alone(database: Database) -> None:
    writes = Writes(database)
    await writes.all_at_once(one=_adds("one"), bad=_adds_and_raises, two=_adds("two"))
    assert isinstance(writes.outcomes["bad"], ValueError)
    assert (writes.outcomes["one"], writes.outcomes["two"]) == ("one", "two")
    assert _names(database) == ["one", "two"]


async def test_a_database_that_undoes_all_of_them_has_failed_for_all_of_them(
    database: Database,
) -> None:
    writes = Writes(database)
    await writes.all_at_once(one=_adds("one"), full=_fills_the_disk, two=_adds("two"))
    assert {type(outcome) for outcome in writes.outcomes.values()} == {StorageFailed}
    assert _names(database) == []
    assert await database.write(_adds("later")) == "later"


async def test_a_commit_whose_result_is_unknown_is_unknown_for_all_of_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_connection: object) -> None:
        raise _error_of_the_disk()

    writes = Writes(database)
    writes.before_commits = lambda: monkeypatch.setattr(
        database._engine.dialect, "do_commit", fails
    )
    await writes.all_at_once(one=_adds("one"), bad=_adds_and_raises, two=_adds("two"))
    assert isinstance(writes.outcomes["one"], CommitUnknown)
    assert isinstance(writes.outcomes["two"], CommitUnknown)
    assert isinstance(writes.outcomes["bad"], ValueError), "it was undone in any case"
    monkeypatch.undo()
    assert await database.write(_adds("later")) == "later"


async def test_a_write_that_comes_alone_waits_for_no_other(database: Database) -> None:
    with anyio.fail_after(HANG):
        assert await database.write(_adds("one")) == "one"


async def test_a_cancelled_write_does_not_undo_the_others(database: Database) -> None:
    writes = Writes(database)
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def is_cancelled() -> None:
            with scope:
                await database.write(_adds("of the cancelled"))

        def hold(connection: Connection) -> None:
            tasks_came.wait(HANG)

        tasks_came = threading.Event()
        tasks.start_soon(database.write, hold)
        tasks.start_soon(is_cancelled)
        tasks.start_soon(writes._write, "other", _adds("other"))
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        tasks_came.set()
    assert writes.outcomes == {"other": "other"}
    assert "other" in _names(database)


def _swallows_a_full_disk(connection: Connection) -> str:
    """SQLite undoes the whole transaction, and the function goes on as if one insert had failed."""
    driver: Any = connection.connection.driver_connection
    pages = driver.execute("PRAGMA page_count").fetchone()[0]
    driver.execute(f"PRAGMA max_page_count={pages}")
    with suppress(OperationalError):
        connection.execute(ADD, {"name": "x" * 100_000})
    driver.execute(f"PRAGMA max_page_count={1_000_000}")
    return "stored"


async def test_a_write_that_swallows_a_full_disk_is_reported_as_failed(database: Database) -> None:
    with pytest.raises(StorageFailed):
        await database.write(_swallows_a_full_disk)


async def test_a_full_disk_that_one_of_many_swallows_is_reported_to_all(database: Database) -> None:
    writes = Writes(database)
    await writes.all_at_once(one=_adds("one"), full=_swallows_a_full_disk, two=_adds("two"))
    failed = {name: type(outcome) for name, outcome in writes.outcomes.items()}
    assert failed == dict.fromkeys(("one", "full", "two"), StorageFailed)
    assert _names(database) == []


async def test_a_result_that_is_not_read_hides_no_later_commit_from_reads(
    database: Database,
) -> None:
    gc.collect()
    gc.disable()
    try:
        unread = await database.read(lambda c: c.execute(text("SELECT 1 FROM jobs")))
        await database.write(_adds("one"))
        unread = await database.read(lambda c: c.execute(text(NAMES)))
        await database.write(_adds("two"))
        found = await database.read(lambda c: c.execute(text(NAMES)).scalars().all())
    finally:
        gc.enable()
    assert found == ["one", "two"], unread


async def test_a_write_that_is_cancelled_while_the_file_is_locked_is_not_made(
    database: Database, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(database.write, _adds("cancelled"))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        other.execute("COMMIT")
    await database.write(_adds("later"))
    assert _names(database) == ["later"]


async def test_a_thread_that_cannot_be_started_fails_one_write_and_not_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", _no_more_threads)
        with pytest.raises(RuntimeError):
            await database.write(_adds("one"))
    with anyio.fail_after(HANG):
        await database.write(_adds("two"))
    assert _names(database) == ["two"]


def _no_more_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
