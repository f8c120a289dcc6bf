"""A callback has the contract's body, and is tried at most three times, until one succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.callbacks.callback_job import JITTER, deliver
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import DELIVERY_DELAYS
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue import sqlite_worker
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Misconfigured
from tests.support.databases import rows
from tests.support.fake_resolver import FakeResolver
from tests.support.openapi import must_be
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    MISS,
    FixedSource,
    RunningService,
    running_service,
    until,
)
from tests.support.scripted_server import ScriptedServer, hangs, replies, resets, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream
    from sqlalchemy import Connection

    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio
TRIES = "SELECT number, outcome, http_status FROM callback_attempts ORDER BY number"
NONE_LEFT = "SELECT count(*) FROM jobs"
QUICKLY = (0.0, 0.002, 0.004)


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as end:
        yield end


@pytest.mark.parametrize("outcome", [HIT, MISS, Misconfigured()])
@pytest.mark.parametrize("external_id", ["lead-42", "Ключ 🦜"])
async def test_a_callback_has_the_body_of_a_poll(
    place: Place, receiver: ScriptedServer, outcome: Outcome, external_id: str
) -> None:
    receiver.will(replies(204))
    async with running_service(place, FixedSource(outcome), allow_private=True) as it:
        request_id = await it.accepted(
            callback_url=f"{receiver.url}/hook?x=1", external_id=external_id
        )
        await until(lambda: it.rows(TRIES) == [(1, "delivered", 204)])
        polled = await it.final(request_id)
    (seen,) = receiver.seen
    assert (seen.method, seen.path) == ("POST", "/hook?x=1")
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["host"] == receiver.url.removeprefix("http://")
    assert seen.json == polled
    must_be("Enrichment", seen.json)


async def test_a_callback_goes_out_at_once(
    place: Place, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_worker, "POLL_EVERY", 3600)
    receiver.will(replies(200))
    async with running_service(place, FixedSource(HIT), allow_private=True) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: len(receiver.seen) == 1)


async def test_no_callback_is_sent_where_none_was_asked_for(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        await it.final(await it.accepted())
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])
        assert it.rows(TRIES) == []


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([200], ["delivered"]),
        ([299], ["delivered"]),
        ([500, 200], ["http-error", "delivered"]),
        ([404, 429, 503], ["http-error"] * 3),
        ([302, 201], ["http-error", "delivered"]),
        (["reset", "reset", 200], ["unreachable", "unreachable", "delivered"]),
        (["reset", 500, "reset"], ["unreachable", "http-error", "unreachable"]),
    ],
)
async def test_a_callback_is_tried_up_to_three_times_until_it_arrives(
    place: Place, receiver: ScriptedServer, answers: list[int | str], tries: list[str]
) -> None:
    # A fourth attempt, or one after a success, is unexpected and fails the test.
    elsewhere = {"location": f"{receiver.url}/elsewhere"}
    receiver.will(*(resets() if a == "reset" else replies(a, headers=elsewhere) for a in answers))
    async with running_service(
        place, FixedSource(HIT), allow_private=True, delivery_delays=QUICKLY
    ) as it:
        await it.accepted(callback_url=f"{receiver.url}/hook")
        await until(lambda: len(it.rows(TRIES)) == len(tries) and it.rows(NONE_LEFT) == [(0,)])
        statuses = [None if a == "reset" else a for a in answers]
        assert it.rows(TRIES) == list(zip(range(1, 4), tries, statuses, strict=False))
    assert {seen.path for seen in receiver.seen} == {"/hook"}
    assert len({seen.body for seen in receiver.seen}) == 1


async def test_tries_are_5_and_30_seconds_apart_and_a_little_more(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(500), replies(500), replies(500))
    async with running_service(place, FixedSource(HIT), jobs=False, allow_private=True) as it:
        job = await _ended_with_a_callback(it, receiver.url)
        for delay in DELIVERY_DELAYS[1:]:
            again = await deliver(it.service, job)
            assert isinstance(again, Reschedule)
            assert delay <= again.seconds <= delay * (1 + JITTER)
        assert await deliver(it.service, job) is None
        assert await deliver(it.service, job) is None  # a fourth attempt would be unexpected
    assert DELIVERY_DELAYS == (0.0, 5.0, 30.0)


async def test_a_callback_that_has_arrived_is_not_sent_again(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(200))
    async with running_service(place, FixedSource(HIT), jobs=False, allow_private=True) as it:
        job = await _ended_with_a_callback(it, receiver.url)
        for _ in range(2):  # the second run as after a crash before the job was removed
            assert await deliver(it.service, job) is None


async def test_a_try_is_written_down_before_it_is_sent(
    place: Place, receiver: ScriptedServer
) -> None:
    written = []

    async def look(stream: SocketStream, seen: ReceivedRequest) -> None:
        written.extend(rows(place, "SELECT number, finished_at, outcome FROM callback_attempts"))
        await replies(200)(stream, seen)

    receiver.will(look)
    async with running_service(place, FixedSource(HIT), allow_private=True) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: it.rows(TRIES) == [(1, "delivered", 200)])
    assert written == [(1, None, None)]


async def test_a_try_that_a_crash_cut_off_counts(place: Place, receiver: ScriptedServer) -> None:
    receiver.will(replies(500))
    async with running_service(place, FixedSource(HIT), jobs=False, allow_private=True) as it:
        job = await _ended_with_a_callback(it, receiver.url)
        for _ in range(2):
            await it.service.database.write(lambda c: _claim(c, job.target_id))
        assert await deliver(it.service, job) is None
        assert it.rows(TRIES) == [(1, None, None), (2, None, None), (3, "http-error", 500)]


async def test_a_receiver_that_hangs_holds_up_nobody_else(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(hangs())
    receiver.always(replies(200))
    async with running_service(place, FixedSource(HIT), allow_private=True) as it:
        await it.accepted(callback_url=f"{receiver.url}/hangs")
        await until(lambda: len(receiver.seen) == 1)
        await it.accepted(callback_url=f"{receiver.url}/answers", type="personal")
        with anyio.fail_after(HANG):
            await until(lambda: it.rows(TRIES) == [(1, None, None), (1, "delivered", 200)])


async def test_a_callback_to_a_name_that_turns_out_private_is_tried_once_and_reaches_nobody(
    place: Place,
    receiver: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    FakeResolver(monkeypatch, ["127.0.0.1"])
    policy = CallbackURLPolicy(ports=range(1, 65_536))
    async with running_service(
        place, FixedSource(HIT), delivery_delays=QUICKLY, policy=policy
    ) as it:
        port = receiver.url.rsplit(":", 1)[1]
        await it.accepted(callback_url=f"http://hooks.example.com:{port}/")
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])
        assert it.rows(TRIES) == [(1, "address-refused", None)]
    assert receiver.seen == []
    assert ADAS not in caplog.text


async def test_a_callback_that_cannot_be_read_stops_no_other_one(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(200))
    async with running_service(place, FixedSource(MISS), jobs=False, allow_private=True) as it:
        await _ended_with_a_callback(it, receiver.url)
        newer = "UPDATE requests SET reason = 'a-reason-of-a-newer-version'"
        it.service.database.write_now(lambda c: c.exec_driver_sql(newer))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.engine.run, it.service)
            await it.final(await it.accepted(linkedin_url=f"{ADA}-2", callback_url=receiver.url))
            await until(lambda: it.rows(TRIES) == [(1, "delivered", 200)])
            errors = "SELECT handler_errors FROM callbacks ORDER BY handler_errors"
            await until(lambda: it.rows(errors) == [(0,), (1,)])
            tasks.cancel_scope.cancel()


async def _ended_with_a_callback(it: RunningService, url: str) -> Job:
    """The callback job of a request that is final."""
    request_id = await it.accepted(callback_url=url)
    await look_up(it.service, Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id))
    ((callback_id,),) = it.rows("SELECT id FROM callbacks")
    return Job(kind=JobKind.DELIVER, target_id=callback_id, team_id=it.team_id)


def _claim(connection: Connection, callback_id: str) -> int | None:
    callback = callback_table.get(connection, callback_id)
    assert callback
    return callback_table.claim_attempt(connection, callback, at=0)
