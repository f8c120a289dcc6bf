"""A lookup that runs in the process that accepted it begins at once, with no write beyond those of
its request and its outcome, and takes no other lookup's place."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import Engine, event

from mcp_enrichment.service.queue import handlers, sqlite_worker
from mcp_enrichment.service.queue.job import JobKind
from tests.support.running_service import (
    ADA,
    HIT,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio
JOBS = "SELECT lease_owner FROM jobs ORDER BY run_at"
DELIVERED = "SELECT outcome FROM callback_attempts"


@contextmanager
def _transactions() -> Iterator[list[str]]:
    """The transactions that begin within."""
    begun: list[str] = []

    def hear(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        begun.append("write" if writes else "read")

    event.listen(Engine, "begin", hear)
    try:
        yield begun
    finally:
        event.remove(Engine, "begin", hear)


async def test_a_lookup_with_room_takes_the_writes_of_its_request_and_of_its_outcome(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    async with running_service(path, FixedSource(HIT), lease=3600) as it:
        await until(it.is_idle)
        with _transactions() as begun:
            assert (await it.final(await it.accepted()))["status"] == "completed"
        assert begun.count("write") == 2
        assert it.rows(JOBS) == []
    ledger_is_exact(path)


async def test_its_callback_takes_the_writes_of_its_attempt_and_of_the_outcome(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    async with (
        scripted_server() as receiver,
        running_service(path, FixedSource(HIT), lease=3600, allow_private=True) as it,
    ):
        receiver.will(replies(200))
        await until(it.is_idle)
        with _transactions() as begun:
            await it.accepted(callback_url=receiver.url)
            await until(lambda: it.rows(DELIVERED) == [("delivered",)] and it.rows(JOBS) == [])
        assert begun.count("write") == 4


async def test_an_idle_process_only_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 0.001)
    async with running_service(path, FixedSource(HIT), lease=3600) as it:
        await until(it.is_idle)
        with _transactions() as begun:
            await until(lambda: begun.count("read") > 5)
        assert "write" not in begun


async def test_a_request_without_credit_or_that_joins_reserves_no_room(path: Path) -> None:
    source = SlowSource(HIT)
    async with running_service(path, source, credits=1, concurrency=2) as it:
        await until(it.is_idle)
        first = await it.accepted()
        assert await it.accepted() == first
        assert (await it.post(linkedin_url=f"{ADA}-2")).status_code == 402
        assert [job.target_id for job in it.engine._at_work] == [first]  # type: ignore[attr-defined]
        source.may_answer.set()
        await it.final(first)
    ledger_is_exact(path)


async def test_a_lookup_that_waits_is_before_a_new_one(path: Path) -> None:
    source = SlowSource(HIT)
    async with running_service(path, source, concurrency=1) as it:
        await until(it.is_idle)
        ids = [await it.accepted(linkedin_url=f"{ADA}-{n}") for n in range(2)]
        running, waits = it.rows(JOBS)
        assert running[0]
        assert waits == (None,)
        assert it.engine.lease_lookup("0" * 24, it.team_id) is None
        source.may_answer.set()
        for request_id in ids:
            await it.final(request_id)


async def test_a_request_whose_commit_is_unknown_is_looked_up_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    async with running_service(path, FixedSource(HIT), lease=3600) as it:
        await until(it.is_idle)
        dialect = it.service.database._engine.dialect
        commit = dialect.do_commit

        def commit_and_fail(connection: Any) -> None:
            commit(connection)
            monkeypatch.setattr(dialect, "do_commit", commit)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

        monkeypatch.setattr(dialect, "do_commit", commit_and_fail)
        assert (await it.post()).status_code == 500
        await until(lambda: it.rows("SELECT status FROM requests") == [("completed",)])
        await until(lambda: it.rows(JOBS) == [])
    ledger_is_exact(path)


async def test_a_lookup_that_read_no_request_keeps_its_job(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if its handler saw none: a request without a job would never end."""
    stale = anyio.Event()

    async def sees_nothing(*_: object) -> None:
        stale.set()

    async with running_service(path, FixedSource(HIT), lease=0.5) as it:
        with monkeypatch.context() as patched:
            patched.setitem(handlers._HANDLERS, JobKind.LOOK_UP, sees_nothing)
            request_id = await it.accepted()
            await stale.wait()
            await until(lambda: not it.engine._at_work)  # type: ignore[attr-defined]
            assert it.rows("SELECT target_id FROM jobs") == [(request_id,)]
        assert (await it.final(request_id))["status"] == "completed"
    ledger_is_exact(path)


async def test_requests_complete_also_after_each_readiness_check(path: Path) -> None:
    async with running_service(path, FixedSource(HIT), credits=20) as it:
        for number in range(20):
            await it.service.database.check()
            request_id = await it.accepted(linkedin_url=f"{ADA}-{number}")
            assert (await it.final(request_id))["status"] == "completed"
    ledger_is_exact(path)
