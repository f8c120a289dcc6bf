"""Each accepted job starts at once, is never lost, and never pays twice."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db import sqlite
from mcp_enrichment.service.queue import handlers, sqlite_queue, sqlite_worker
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.queue.sqlite_queue import Turns
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    Clock,
    FixedSource,
    RunningService,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio
JOBS = "SELECT lease_owner, run_at, attempts FROM jobs"


async def _claim(it: RunningService, owner: str, *, now: float, lease: float = 30) -> Sequence[Job]:
    lent = sqlite_queue.Lease(owner=owner, now=now, until=now + lease)
    return await it.service.database.write(
        lambda c: sqlite_queue.claim(c, lent, JobKind.LOOK_UP, Turns(100), limit=100)
    )


async def test_an_accepted_request_is_worked_on_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    async with running_service(path, FixedSource(HIT)) as it:
        for _ in range(3):
            await until(it.is_idle)
            await it.final(await it.accepted())


async def test_what_waits_for_room_is_worked_on_as_soon_as_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    source = SlowSource(HIT)
    async with running_service(path, source, concurrency=1) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-{n}") for n in range(3)]
        await until(it.is_idle)
        source.may_answer.set()
        for request_id in ids:
            await it.final(request_id)


async def test_a_dead_process_keeps_its_jobs_until_its_lease_is_over_and_no_longer(
    path: Path,
) -> None:
    clock = Clock()
    async with running_service(path, jobs=False, clock=clock) as it:
        request_id = await it.accepted()
        start = clock.now
        assert [job.attempts for job in await _claim(it, "dead", now=start)] == [1]
        assert await _claim(it, "early", now=start + 29.9) == []
        clock.now = start + 30.1
        async with running_service(path, FixedSource(HIT), clock=clock) as other:
            assert (await other.final(request_id))["status"] == "completed"
            await until(lambda: it.rows(JOBS) == [])
    ledger_is_exact(path)


async def test_a_living_process_keeps_the_job_that_outlasts_its_lease(path: Path) -> None:
    source, until_when, clock = SlowSource(HIT), "SELECT lease_until FROM jobs", Clock()
    async with running_service(path, source, lease=0.2, clock=clock) as it:
        request_id = await it.accepted()
        await until(source.asked.is_set)
        ((first,),) = it.rows(until_when)
        for _ in range(3):  # in steps shorter than the lease, so that it cannot end
            clock.now += 0.1
            await until(lambda: it.rows(until_when)[0][0] == clock.now + 0.2)
        assert clock.now > first
        assert await _claim(it, "another", now=clock.now) == []
        assert it.rows("SELECT attempts FROM jobs") == [(1,)]
        source.may_answer.set()
        assert (await it.final(request_id))["status"] == "completed"


async def test_two_services_on_one_file_share_the_work_and_do_each_job_once(path: Path) -> None:
    one, other = FixedSource(HIT, name="one"), FixedSource(HIT, name="other")
    profiles = {f"{ADA}-{number}" for number in range(60)}
    async with (
        running_service(path, one, concurrency=1, credits=60) as here,
        running_service(path, other, concurrency=1, credits=60),
    ):
        ids = [await here.accepted(linkedin_url=profile) for profile in profiles]
        for request_id in ids:
            await here.final(request_id)
    assert sorted(one.asked + other.asked) == sorted(profiles)
    ledger_is_exact(path)


async def test_a_job_goes_to_the_service_that_has_room_for_it(path: Path) -> None:
    one, other = SlowSource(HIT, name="one"), SlowSource(HIT, name="other")
    async with (
        running_service(path, one, concurrency=1) as here,
        running_service(path, other, concurrency=1),
    ):
        ids = [await here.accepted(linkedin_url=f"{ADA}-{n}") for n in range(2)]
        with anyio.fail_after(HANG):  # one each: if one process took both, this would not end
            await one.asked.wait()
            await other.asked.wait()
        one.may_answer.set()
        other.may_answer.set()
        for request_id in ids:
            await here.final(request_id)
        assert here.rows("SELECT source FROM requests ORDER BY source") == [("one",), ("other",)]


async def test_a_process_works_on_no_more_jobs_at_once_than_it_may(path: Path) -> None:
    source = SlowSource(HIT)
    async with running_service(path, source, concurrency=3) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-{n}") for n in range(5)]
        await until(lambda: sum(owner is not None for owner, *_ in it.rows(JOBS)) == 3)
        source.may_answer.set()
        for request_id in ids:
            await it.final(request_id)


async def test_a_claim_that_runs_again_because_another_write_raises_takes_all_that_it_may(
    path: Path,
) -> None:
    held, may_go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        held.set()
        assert may_go_on.wait(HANG)

    def fail(_connection: Connection) -> None:
        raise KeyError

    async def write_and_fail(it: RunningService) -> None:
        with pytest.raises(KeyError):
            await it.service.database.write(fail)

    async with running_service(path, jobs=False, concurrency=2) as it:
        for number in range(2):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.service.database.write, hold)
            await anyio.to_thread.run_sync(held.wait)
            tasks.start_soon(it.engine._start_due, it.service)
            tasks.start_soon(write_and_fail, it)
            await anyio.wait_all_tasks_blocked()
            may_go_on.set()
        leased = "SELECT count(*) FROM jobs WHERE lease_owner IS NOT NULL"
        assert it.rows(leased) == [(2,)]


async def test_a_service_that_is_stopped_gives_its_jobs_back_at_once(path: Path) -> None:
    source = SlowSource(HIT)
    async with running_service(path, source) as it:
        request_id = await it.accepted()
        await until(source.asked.is_set)
        ((owner, *_),) = it.rows(JOBS)
        assert owner
    async with running_service(path, FixedSource(HIT)) as it:
        assert it.rows(JOBS)[0][0] != owner
        assert (await it.final(request_id))["status"] == "completed"
    ledger_is_exact(path)


async def test_a_job_that_raises_is_put_off_and_logged_without_personal_data(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, source = Clock(), FixedSource(ValueError(f"cannot read {ADAS}"), HIT)
    async with running_service(path, source, clock=clock) as it:
        request_id = await it.accepted()
        await until(lambda: it.rows(JOBS) == [(None, clock.now + handlers.FAILURE_BACKOFF, 1)])
        clock.now += handlers.FAILURE_BACKOFF
        it.engine.wake()
        assert (await it.final(request_id))["status"] == "completed"
    assert request_id in caplog.text
    assert "ValueError" in caplog.text
    assert "running_service.py" in caplog.text  # the place where it was raised
    assert ADAS not in caplog.text


async def test_a_job_that_always_raises_is_put_off_for_ten_minutes_at_most(path: Path) -> None:
    clock = Clock()
    async with running_service(path, FixedSource(ValueError()), jobs=False, clock=clock) as it:
        await it.accepted()
        it.service.database.write_now(
            lambda c: c.exec_driver_sql("UPDATE requests SET handler_errors = 9")
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.engine.run, it.service)
            await until(
                lambda: it.rows(JOBS) == [(None, clock.now + handlers.LONGEST_FAILURE_BACKOFF, 1)]
            )
            tasks.cancel_scope.cancel()


async def test_a_lookup_that_raises_for_an_hour_fails_and_its_credit_is_given_back(
    path: Path,
) -> None:
    clock, almost = Clock(), handlers.MAX_FAILURES - 1
    async with running_service(path, FixedSource(ValueError()), jobs=False, clock=clock) as it:
        request_id = await it.accepted()
        set_defects = f"UPDATE requests SET handler_errors = {almost}"  # noqa: S608
        it.service.database.write_now(lambda c: c.exec_driver_sql(set_defects))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.engine.run, it.service)
            body = await it.final(request_id)
            await until(lambda: it.rows(JOBS) == [])
            tasks.cancel_scope.cancel()
        assert (body["status"], body["reason"]) == ("failed", "sources-unavailable")
        assert await it.balance() == 10
    ledger_is_exact(path)


async def test_a_job_that_the_database_stopped_is_taken_up_again(path: Path) -> None:
    source = FixedSource(StorageFailed(StorageFault.FULL), HIT)
    async with running_service(path, source, lease=0.2) as it:
        assert (await it.final(await it.accepted()))["status"] == "completed"


async def test_work_goes_on_after_the_database_was_locked_by_another_program(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.01)
    async with running_service(path, FixedSource(HIT), jobs=False) as it:
        request_id = await it.accepted()
        with closing(sqlite3.connect(path)) as another:
            another.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                began = anyio.current_time()
                tasks.start_soon(it.engine.run, it.service)
                await until(lambda: "no job can be claimed" in caplog.text)
                await anyio.sleep(0.2)  # it does not retry in a busy loop
                looks = 1 + int((anyio.current_time() - began) / sqlite_worker.POLL_EVERY)
                assert caplog.text.count("no job can be claimed") <= looks
                another.rollback()
                assert (await it.final(request_id))["status"] == "completed"
                tasks.cancel_scope.cancel()


async def test_a_job_that_raises_while_the_database_is_locked_does_not_end_the_service(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.01)
    with closing(sqlite3.connect(path.parent.parent / "none")) as locker:

        class Locks(FixedSource):
            async def find(self, *_asked: object) -> object:
                if not self.asked:
                    self.asked.append("once")
                    locker.execute("BEGIN IMMEDIATE")
                    raise ValueError
                return HIT

        async with running_service(path, Locks(HIT), lease=0.2) as it:
            locker.execute("ATTACH ? AS it", [str(path)])
            request_id = await it.accepted()
            await until(lambda: f"job look-up of {request_id} stopped" in caplog.text)
            locker.rollback()
            assert (await it.final(request_id))["status"] == "completed"
