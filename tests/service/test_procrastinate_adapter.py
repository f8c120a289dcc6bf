"""While Postgres fails for moments, a worker repeats each statement and sleeps through no job."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
import pytest
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg_pool import AsyncConnectionPool

from mcp_enrichment.service.queue import procrastinate_adapter
from mcp_enrichment.service.queue.procrastinate_adapter import (
    Capacity,
    RetryingConnector,
    TrackingJobManager,
)
from tests.support.databases import rows
from tests.support.running_service import ADA, running_service, until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
JOBS = "SELECT status::text FROM procrastinate_jobs"
LISTENERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'LISTEN "procrastinate%' AND state = 'idle' AND datname = current_database()
"""


class LosesAnswers(PsycopgConnector):
    """Executes the first statement, and then raises as if its answer was lost."""

    lost = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        await super().execute_query_async(query, **arguments)
        if not self.lost:
            self.lost = True
            raise ConnectorException from psycopg.OperationalError()


class Unreached(PsycopgConnector):
    """Reaches no server."""

    tries = 0

    async def execute_query_async(self, query: Any, **_: Any) -> None:
        await self.execute_query_all_async(query)

    async def execute_query_all_async(self, query: Any, **_: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        self.tries += 1
        raise ConnectorException from psycopg.OperationalError()


class Away(RetryingConnector, Unreached):
    """Finds its database away."""


class Patient(RetryingConnector, LosesAnswers):
    """Repeats a statement whose answer was lost."""


class Absent(RetryingConnector):
    """Runs `meanwhile` once between a statement and its answer."""

    meanwhile: Any = None

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        found = await super().execute_query_all_async(query, **arguments)
        happens, self.meanwhile = self.meanwhile, None
        if happens:
            await happens()
        return found


class Counting(RetryingConnector):
    """Counts the fetches."""

    fetches = 0

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        self.fetches += 1
        return await super().execute_query_all_async(query, **arguments)


@asynccontextmanager
async def taken(
    url: str, connector: RetryingConnector, *, at_once: int = 16
) -> AsyncIterator[TrackingJobManager]:
    """The job manager with which a worker claims lookups."""
    async with AsyncConnectionPool(url, open=False, min_size=1) as pool:
        await connector.open_async(pool)
        yield TrackingJobManager(connector, "look-up", Capacity(at_once))


async def test_a_job_that_comes_while_a_worker_looks_is_not_slept_through(url: str) -> None:
    connector, told = Absent(), anyio.Event()

    async def hear(**_: Any) -> None:
        told.set()

    async with running_service(url, jobs=False) as it, taken(url, connector) as jobs:
        worker_id = await jobs.register_worker()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: jobs.listen_for_jobs(on_notification=hear, queues=["look-up"]))
            await until(lambda: rows(url, LISTENERS) == [(1,)])

            async def comes() -> None:
                await it.accepted()
                await told.wait()

            connector.meanwhile = comes
            found = await jobs.fetch_job(["look-up"], worker_id)
            tasks.cancel_scope.cancel()
    assert found
    assert found.id in jobs.at_work


async def test_a_fetch_that_finds_the_last_jobs_is_not_repeated(url: str) -> None:
    connector, many = Counting(), 2 * procrastinate_adapter.FETCH_BATCH + 1
    async with (
        running_service(url, jobs=False, credits=many + 1) as it,
        taken(url, connector, at_once=many + 9) as jobs,
    ):
        for number in range(many):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        worker_id = await jobs.register_worker()
        connector.fetches = 0
        for _ in range(many):
            assert await jobs.fetch_job(["look-up"], worker_id)
        assert await jobs.fetch_job(["look-up"], worker_id) is None
        assert connector.fetches == 3, "the third had room for more"
        await it.accepted()
        assert await jobs.fetch_job(["look-up"], worker_id), "a poll always fetches"


async def test_a_job_that_comes_after_the_last_fetch_is_not_slept_through(url: str) -> None:
    told = anyio.Event()

    async def hear(**_: Any) -> None:
        told.set()

    async with running_service(url, jobs=False) as it, taken(url, RetryingConnector()) as jobs:
        worker_id = await jobs.register_worker()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: jobs.listen_for_jobs(on_notification=hear, queues=["look-up"]))
            await until(lambda: rows(url, LISTENERS) == [(1,)])
            for kind in ("work", "personal"):
                await it.accepted(type=kind)
                await told.wait()
                told = anyio.Event()
                assert await jobs.fetch_job(["look-up"], worker_id)
            tasks.cancel_scope.cancel()


async def test_a_job_is_finished_although_the_answer_to_that_was_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procrastinate_adapter, "RECONNECT_EVERY", 0.01)
    async with running_service(url, jobs=False) as it, taken(url, Patient()) as jobs:
        await it.accepted()
        found = await jobs.fetch_job(["look-up"], await jobs.register_worker())
        assert found
        assert rows(url, JOBS) == [("doing",)]
        await jobs.finish_job(found, Status.SUCCEEDED, delete_job=True)
    assert rows(url, JOBS) == []
    assert jobs.at_work == {}


async def test_after_give_up_no_call_waits_for_an_unreachable_database(url: str) -> None:
    away = Away()
    async with taken(url, away) as jobs:
        away.give_up()
        with anyio.fail_after(HANG):
            await jobs.update_heartbeat(1)
            assert away.tries == 2
            assert await jobs.fetch_job(["look-up"], 1) is None
            assert away.tries == 3


async def test_a_statement_with_a_permanent_error_is_not_repeated(url: str) -> None:
    async with running_service(url, jobs=False), taken(url, RetryingConnector()) as jobs:
        with anyio.fail_after(HANG), pytest.raises(ConnectorException):
            await jobs.connector.execute_query_async("SELECT no_such_column")


async def test_fetched_jobs_that_were_not_started_are_released_when_a_worker_ends(url: str) -> None:
    async with running_service(url, jobs=False) as it, taken(url, RetryingConnector()) as jobs:
        for number in range(3):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        worker_id = await jobs.register_worker()
        begun = await jobs.fetch_job(["look-up"], worker_id)
        assert begun
        assert rows(url, JOBS) == [("doing",)] * 3, "they were claimed together"
        await jobs.unregister_worker(worker_id)
        assert jobs.at_work.keys() == {begun.id}
    left = "SELECT id, status::text, attempts FROM procrastinate_jobs WHERE id <> ? ORDER BY id"
    assert [of_job for _, *of_job in rows(url, left, begun.id)] == [["todo", 0]] * 2


async def test_a_worker_takes_no_more_than_it_has_room_for(url: str) -> None:
    async with (
        running_service(url, jobs=False) as it,
        taken(url, RetryingConnector(), at_once=2) as jobs,
    ):
        for number in range(3):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        worker_id = await jobs.register_worker()
        assert await jobs.fetch_job(["look-up"], worker_id)
        assert sorted(rows(url, JOBS)) == [("doing",), ("doing",), ("todo",)]
