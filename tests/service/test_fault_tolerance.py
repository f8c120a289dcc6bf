"""No fault, of the database or of our code, ends the work in the background, and each is logged."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.service.lookup import lookup_job
from mcp_enrichment.service.queue import handlers, sqlite_queue, sqlite_worker
from mcp_enrichment.service.requests import completion_waiter, request_table
from mcp_enrichment.service.sources.base import Unavailable
from tests.support.running_service import (
    ADA,
    HIT,
    Clock,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
DOWN = Unavailable()
DELIVERED = "SELECT 1 FROM callback_attempts WHERE outcome = 'delivered'"


def _breaking_once(whole: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the statement: its first run executes invalid SQL instead."""
    broken = [True]

    def run(connection: Any, *args: Any, **options: Any) -> Any:
        if broken.pop() if broken else False:
            connection.exec_driver_sql("SELECT a defect")
        return whole(connection, *args, **options)

    return run


@pytest.mark.parametrize("statement", ["claim", "next_run_at", "finish", "renew"])
async def test_a_defect_between_two_jobs_is_logged_and_work_goes_on(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    monkeypatch.setattr(sqlite_queue, statement, _breaking_once(getattr(sqlite_queue, statement)))
    monkeypatch.setattr(handlers, "FAILURE_BACKOFF", 0.01)
    source = SlowSource(HIT)
    async with running_service(path, source, lease=0.2) as it:
        request_id = await it.accepted()
        await until(lambda: source.asked.is_set() and (statement != "renew" or bool(caplog.text)))
        source.may_answer.set()
        assert (await it.final(request_id))["status"] == "completed"
        await until(lambda: it.rows("SELECT * FROM jobs") == [])
        assert (await it.final(await it.accepted()))["status"] == "completed"
    assert "OperationalError" in caplog.text
    assert ADA not in caplog.text
    ledger_is_exact(path)


async def test_a_lookup_that_cannot_be_begun_stops_no_claim(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(handlers, "begin_look_ups", defect)
    monkeypatch.setattr(sqlite_worker.SQLiteWorker, "lease_lookup", lambda *_: None)
    async with running_service(path, FixedSource(HIT)) as it:
        assert (await it.final(await it.accepted()))["status"] == "completed"


async def test_a_transaction_that_is_undone_during_a_claim_costs_no_attempt(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, fails = handlers.begin_deliver, [True]

    def undone_once(connection: Connection, *args: Any) -> Any:
        if fails.pop() if fails else False:  # as SQLite does on a full disk
            connection.connection.rollback()
            raise sqlite3.OperationalError
        return begin(connection, *args)

    monkeypatch.setattr(handlers, "begin_deliver", undone_once)
    source = SlowSource(HIT)
    async with scripted_server() as receiver:
        receiver.will(replies(204), replies(204))
        async with running_service(path, source, allow_private=True) as it:
            for external_id in ("one", "another"):
                await it.accepted(callback_url=f"{receiver.url}/", external_id=external_id)
            await source.asked.wait()
            source.may_answer.set()
            await until(lambda: len(it.rows(DELIVERED)) == 2)
            assert it.rows("SELECT number FROM callback_attempts") == [(1,), (1,)]


async def test_a_defect_in_looking_for_ends_is_logged_and_held_answers_are_still_given(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(completion_waiter, "RETRY_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(completion_waiter, "POLL_EVERY_WITH_LISTENER", 0.01)
    async with running_service(place, FixedSource(HIT)) as it:
        monkeypatch.setattr(request_table, "final_among", _breaking_once(request_table.final_among))
        it.service.completion_waiter._waiting["somebody"].add(anyio.Event())
        it.service.completion_waiter._has_waiters.set()
        await until(lambda: "it raised" in caplog.text)
        await it.final(await it.accepted())
        it.service.completion_waiter._waiting.clear()
    assert len(re.findall(r": it raised (?:Operational|Programming)Error,", caplog.text)) == 1


async def test_restarts_take_no_try_of_a_source_away(path: Path) -> None:
    """However often the process ends during a lookup, sources get all their attempts."""
    clock = Clock()
    for restart in range(2 * lookup_job.MAX_SOURCE_ATTEMPTS):
        source = SlowSource(HIT)
        async with running_service(path, source, clock=clock) as it:
            if restart == 0:
                await it.accepted()
            await until(source.asked.is_set)
    async with running_service(path, FixedSource(DOWN), clock=clock) as it:
        for number in range(1, lookup_job.MAX_SOURCE_ATTEMPTS + 1):
            await until(lambda n=number: it.rows("SELECT source_attempts FROM requests") == [(n,)])
            clock.now += 60
            it.engine.wake()
        await until(lambda: it.rows("SELECT status FROM requests") == [("failed",)])
    ledger_is_exact(path)


async def test_jobs_that_are_given_back_count_as_never_claimed(place: Place) -> None:
    for _ in range(3):
        source = SlowSource(HIT)
        async with running_service(place, source) as it:
            if not it.rows("SELECT * FROM jobs"):
                await it.accepted()
            await until(source.asked.is_set)
            assert it.rows("SELECT attempts FROM jobs") == [(1,)]
