"""With several processes on one Postgres no accepted request is lost, whichever process dies, and
nobody needs to intervene."""

from __future__ import annotations

import json
import logging
import signal
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from sqlalchemy import text

from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue import procrastinate_worker as engine
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
from mcp_enrichment.service.sources.base import Unavailable
from tests.cli.commands import Shell
from tests.support.databases import rows
from tests.support.full_disk import FullDiskDatabase
from tests.support.keyed_client import create_key
from tests.support.running_service import (
    ADA,
    HIT,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.postgres import Server

pytestmark = pytest.mark.anyio
FETCH = text("SELECT procrastinate_fetch_job_v2(NULL, :worker_id)")
JOBS = "SELECT kind, target_id, attempts, lease_owner FROM jobs"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose death is noticed soon."""
    for name, seconds in (
        ("HEARTBEAT", 0.2),
        ("WORKER_TIMEOUT", 4.0),
        ("SWEEP", 0.2),
        ("POLL", 0.1),
    ):
        monkeypatch.setattr(engine, name, seconds)


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_request_and_its_job_are_written_together_or_not_at_all(
    url: str, after: int
) -> None:
    async with running_service(url, jobs=False) as it:
        object.__setattr__(it.service, "database", FullDiskDatabase(it.service.database, after))
        assert (await it.post(callback_url="https://a.example/")).status_code == 503
    for table in ("requests", "jobs", "callbacks"):
        assert rows(url, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608
    ledger_is_exact(url)


async def test_a_job_wakes_a_worker_in_another_process_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "POLL", 3600)
    async with running_service(url, jobs=False) as here, running_service(url, FixedSource(HIT)):
        await _workers_listen(url)
        for number in range(3):
            request_id = await here.accepted(linkedin_url=f"{ADA}-{number}")
            await until(lambda n=number: _ended(url) == n + 1)
            assert (await here.get(request_id)).json()["status"] == "completed"
    ledger_is_exact(url)


async def test_a_burst_of_jobs_leaves_none_asleep(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "POLL", 3600)
    async with (
        running_service(url, jobs=False, credits=200) as here,
        running_service(url, FixedSource(HIT)),
    ):

        async def ask(share: int) -> None:
            for number in range(25):
                await here.accepted(linkedin_url=f"{ADA}-{share}-{number}")

        await _workers_listen(url)
        async with anyio.create_task_group() as tasks:
            for share in range(8):
                tasks.start_soon(ask, share)
        await until(lambda: _ended(url) == 200)
    ledger_is_exact(url)


async def test_services_and_workers_share_the_work_and_do_each_job_once(url: str) -> None:
    one, other = FixedSource(HIT, name="one"), FixedSource(HIT, name="other")
    async with (
        running_service(url, jobs=False, credits=60) as here,
        running_service(url, one, concurrency=1),
        running_service(url, other, concurrency=1),
    ):
        for number in range(60):
            await here.accepted(linkedin_url=f"{ADA}-{number}")
        await until(lambda: _ended(url) == 60)
    assert sorted(one.asked + other.asked) == sorted(f"{ADA}-{number}" for number in range(60))
    ledger_is_exact(url)


@pytest.mark.usefixtures("quick")
async def test_the_jobs_of_a_worker_that_falls_silent_are_taken_over(url: str) -> None:
    async with running_service(url, jobs=False) as it:
        request_id = await it.accepted()
        await it.service.database.write(_taken_by_a_worker_that_dies)
        assert rows(url, JOBS) == [("look-up", request_id, 1, "1")]
        async with running_service(url, FixedSource(HIT)):
            await until(lambda: _ended(url) == 1)
    ledger_is_exact(url)


async def test_a_worker_is_taken_for_dead_soon_enough_and_not_too_soon(url: str) -> None:
    async with running_service(url, jobs=False) as it:
        await it.accepted()
        await it.service.database.write(_taken_by_a_worker_that_dies)
        database, silent = it.service.database, engine.WORKER_TIMEOUT
        aged = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '{} seconds'"

        def taken_over(connection: Connection, *, after: float) -> int:
            # In one transaction, in which now() does not change.
            connection.execute(text(aged.format(after)))
            return procrastinate_queue.requeue_jobs_of_dead_workers(connection, silent=silent)

        assert await database.write(lambda c: taken_over(c, after=silent - 2)) == 0
        assert await database.write(lambda c: taken_over(c, after=silent + 1)) == 1
        assert [owner for *_, owner in rows(url, JOBS)] == [None]
    assert engine.WORKER_TIMEOUT + 2 * engine.SWEEP + engine.POLL < 30
    assert engine.WORKER_TIMEOUT > 3 * engine.HEARTBEAT


@pytest.mark.usefixtures("quick")
async def test_a_living_worker_keeps_the_job_that_takes_its_time(url: str) -> None:
    source = SlowSource(HIT)
    async with running_service(url, source) as it:
        await it.accepted()
        await until(source.asked.is_set)
        mine = rows(url, JOBS)
        async with running_service(url, FixedSource(HIT)):
            await anyio.sleep(engine.WORKER_TIMEOUT * 1.5)  # no worker takes it over
            assert rows(url, JOBS) == mine
            source.may_answer.set()
            await until(lambda: _ended(url) == 1)
    ledger_is_exact(url)


@pytest.mark.usefixtures("quick")
async def test_a_job_whose_fetch_was_never_answered_is_done_anew(url: str) -> None:
    source = SlowSource(HIT)
    async with running_service(url, source) as it:
        await it.accepted()
        await until(source.asked.is_set)
        ((*_, worker_id),) = rows(url, JOBS)
        async with running_service(url, jobs=False) as other:
            other.service.database.queue = TakenAtOnce(int(worker_id))
            lost = await other.accepted(type="personal")
        assert len([owner for *_, owner in rows(url, JOBS) if owner == worker_id]) == 2
        source.may_answer.set()
        await until(lambda: _ended(url) == 2)
        assert (await it.get(lost)).json()["status"] == "completed"


@pytest.mark.usefixtures("quick")
async def test_a_restart_of_postgres_in_the_middle_loses_nothing(
    server: Server, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(
        url, FixedSource(HIT, Unavailable(retry_after=0.2), HIT), credits=100
    ) as it:
        for number in range(30):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
            if number == 20:
                server.stop("immediate")
                await anyio.sleep(1)  # lets the worker find the server away
                server.start()
        await until(lambda: _ended(url) == 30)
        await until(lambda: rows(url, JOBS) == [])
    ledger_is_exact(url)
    assert "Traceback" not in caplog.text


async def test_a_worker_that_is_told_to_end_gives_back_what_it_cannot_finish(url: str) -> None:
    source = SlowSource(HIT)
    async with running_service(url, source) as it:
        await it.accepted()
        await until(source.asked.is_set)
    assert [owner for *_, owner in rows(url, JOBS)] == [None]
    assert rows(url, "SELECT count(*) FROM procrastinate_workers") == [(0,)]
    async with running_service(url, FixedSource(HIT)):
        await until(lambda: _ended(url) == 1)
    ledger_is_exact(url)


async def test_a_worker_that_is_told_to_end_finishes_what_takes_a_moment(url: str) -> None:
    source = SlowSource(HIT)
    async with running_service(url, source, shutdown=(shutdown := GracefulShutdown(HANG))) as it:
        await it.accepted()
        await until(source.asked.is_set)
        shutdown.on_begin(source.may_answer.set)
    assert _ended(url) == 1
    assert len(rows(url, "SELECT * FROM ledger WHERE kind = 'settle'")) == 1


async def test_a_job_that_raises_is_put_off_and_the_others_go_on(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_service(url, FixedSource(ValueError("ada@example.com"), HIT)) as it:
        first = await it.accepted()
        await until(lambda: [(kind, c) for kind, _, c, _ in rows(url, JOBS)] == [("look-up", 1)])
        await until(lambda: [owner for *_, owner in rows(url, JOBS)] == [None])
        await it.final(await it.accepted(type="personal"))
    assert first in caplog.text
    assert "ada@example.com" not in caplog.text


async def test_a_service_without_jobs_and_a_worker_do_it_together(tmp_path: Path, url: str) -> None:
    shell = Shell(tmp_path)
    async with running_service(url, jobs=False) as it:
        key = await create_key(it, "lumen")
        processes = [
            shell.start("service", "--no-jobs", "--port", "0", DATABASE_URL=url),
            shell.start("worker", DATABASE_URL=url),
        ]
        try:
            lines = [process.stderr.readline() for process in processes if process.stderr]
            serves, works = (json.loads(line)["message"] for line in lines)
            assert works == "Working (Ctrl-C ends it)"
            shown = await _answer(serves.split()[2], key)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            ends = [process.communicate(timeout=HANG) for process in processes]
        finally:
            for process in processes:
                process.kill()
    assert shown["status"] == "not-found"
    assert ends == [("", ""), ("", "")]
    assert [process.returncode for process in processes] == [0, 0]


async def test_a_worker_serves_a_database_file_too(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    async with running_service(shell.database, jobs=False) as it:
        request_id = await it.accepted()
        process = shell.start("worker")
        try:
            await until(
                lambda: it.rows("SELECT id, status FROM requests") == [(request_id, "not-found")]
            )
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=HANG)[0] == ""
        finally:
            process.kill()
    assert process.returncode == 0


class TakenAtOnce:
    """Adds a job as claimed by a worker that does not know of it."""

    def __init__(self, worker_id: int) -> None:
        self._worker_id = worker_id

    def enqueue(self, connection: Connection, *what: Any, **when: Any) -> None:
        procrastinate_queue.enqueue(connection, *what, **when)
        connection.execute(FETCH, {"worker_id": self._worker_id})


def _taken_by_a_worker_that_dies(connection: Connection) -> None:
    registered = connection.execute(text("SELECT procrastinate_register_worker_v1()"))
    connection.execute(FETCH, {"worker_id": registered.scalar_one()})


async def _answer(where: str, key: str) -> dict[str, Any]:
    """The outcome of a request there."""
    async with httpx.AsyncClient(base_url=where, headers={"x-api-key": key}, timeout=HANG) as http:
        asked = {"linkedin_url": ADA, "type": "work"}
        request_id = (await http.post(ENRICHMENTS, json=asked)).json()["_id"]
        held = await http.get(f"{ENRICHMENTS}/{request_id}", headers={"prefer": "wait=60"})
        return dict(held.json())


async def _workers_listen(url: str) -> None:
    """Return once the workers of both kinds of jobs listen for new jobs."""
    listening = "query LIKE 'LISTEN \"procrastinate%' AND datname = current_database()"
    query = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND {listening}"  # noqa: S608
    await until(lambda: rows(url, query) == [(2,)])


def _ended(url: str) -> int:
    return int(rows(url, "SELECT count(*) FROM requests WHERE completed_at IS NOT NULL")[0][0])
