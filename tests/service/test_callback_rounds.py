"""A receiver can say when to retry a callback, or that it wants no more. An operator can have a
callback delivered again."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import anyio
import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook

from mcp_enrichment.cli import main
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.service.callbacks.callback_job import (
    JITTER,
    LONGEST_RETRY_AFTER,
    deliver,
    redeliver,
)
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue import procrastinate_worker, sqlite_worker
from mcp_enrichment.service.queue.handlers import run_job
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from tests.support.databases import settings_of
from tests.support.running_service import HIT, FixedSource, RunningService, running_service, until
from tests.support.scripted_server import ScriptedServer, replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from mcp_enrichment.service.context import ServiceContext
    from tests.support.databases import Place
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio
QUICKLY, SLOWLY = (0.0, 0.002, 0.004), (0.0, 300.0, 300.0)
TRIES = "SELECT round, number, http_status FROM callback_attempts ORDER BY round, number"
NONE_LEFT = "SELECT count(*) FROM jobs"


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as end:
        yield end


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("3", 5),  # not sooner than the default delay
        ("86400", LONGEST_RETRY_AFTER),
        ("soon", 5),
        ("-7", 5),
        ("in an hour", 5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_says_when_is_not_tried_before_up_to_a_bound(
    place: Place, receiver: ScriptedServer, status: int, asked: str, seconds: float
) -> None:
    receiver.will(replies(status, headers={"retry-after": asked}))
    async with running_service(place, FixedSource(HIT), jobs=False, allow_private=True) as it:
        again = await deliver(it.service, await _ended(it, receiver))
    assert isinstance(again, Reschedule)
    assert seconds <= again.seconds <= seconds * (1 + JITTER)


async def test_a_receiver_may_name_a_date(place: Place, receiver: ScriptedServer) -> None:
    named = time.time() + 100
    date = formatdate(named, usegmt=True)
    receiver.will(replies(503, headers={"Retry-After": date}))
    async with running_service(place, FixedSource(HIT), jobs=False, allow_private=True) as it:
        again = await deliver(it.service, await _ended(it, receiver))
    assert isinstance(again, Reschedule)
    assert named - 1 - time.time() <= again.seconds <= 100 * (1 + JITTER)


async def test_a_receiver_that_is_gone_is_not_tried_again(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(500), replies(410))
    async with _quick(place) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])
        assert it.rows(TRIES) == [(1, 1, 500), (1, 2, 410)]


async def test_an_operator_sees_a_failed_callback_and_has_it_delivered(
    place: Place, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in settings_of(place).items():
        monkeypatch.setenv(variable, value)
    receiver.will(*[replies(500)] * 3)
    async with _quick(place) as it:
        request_id = await it.accepted(callback_url=receiver.url, external_id="lead-1")
        await until(lambda: len(it.rows(TRIES)) == 3 and it.rows(NONE_LEFT) == [(0,)])
        ((callback_id,),) = it.rows("SELECT id FROM callbacks")
        assert _command("list") == [
            [callback_id, request_id, "3 attempts", "http-error (500)", _command("list")[0][-1]]
        ]
        receiver.will(replies(500), replies(500), replies(200))
        _command("retry", callback_id)
        await until(lambda: len(it.rows(TRIES)) == 6 and it.rows(NONE_LEFT) == [(0,)])
        assert it.rows(TRIES)[3:] == [(2, 1, 500), (2, 2, 500), (2, 3, 200)]
        assert _command("list")[0][2:4] == ["6 attempts", "delivered (200)"]
        ((secret,),) = it.rows("SELECT secret FROM callback_secrets")
    assert {seen.headers["webhook-id"] for seen in receiver.seen} == {f"msg_{callback_id}"}
    assert len({seen.body for seen in receiver.seen}) == 1
    for seen in receiver.seen:
        assert Webhook(secret).verify(seen.body, seen.headers)["external_id"] == "lead-1"


async def test_a_repeat_has_three_tries_and_no_more(place: Place, receiver: ScriptedServer) -> None:
    receiver.will(*[replies(500)] * 6)  # a seventh is unexpected, and fails the test
    async with _quick(place) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: len(it.rows(TRIES)) == 3 and it.rows(NONE_LEFT) == [(0,)])
        await _repeat(it)
        await until(lambda: len(it.rows(TRIES)) == 6 and it.rows(NONE_LEFT) == [(0,)])


async def test_a_delivered_callback_may_be_repeated_too(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(200), replies(204))
    async with _quick(place) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: it.rows(TRIES) == [(1, 1, 200)] and it.rows(NONE_LEFT) == [(0,)])
        await _repeat(it)
        await until(lambda: it.rows(TRIES) == [(1, 1, 200), (2, 1, 204)])


async def test_a_repeat_does_not_wait_for_the_try_that_was_put_off(
    place: Place, receiver: ScriptedServer
) -> None:
    receiver.will(replies(500), replies(200))
    async with running_service(
        place, FixedSource(HIT), allow_private=True, delivery_delays=SLOWLY
    ) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: it.rows("SELECT run_at FROM jobs WHERE lease_owner IS NULL") != [])
        await until(lambda: it.rows(TRIES) == [(1, 1, 500)])
        await _repeat(it)
        await until(lambda: it.rows(TRIES) == [(1, 1, 500), (2, 1, 200)])
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])


async def test_a_repeat_while_the_first_try_is_being_put_off_leaves_one_job(
    place: Place, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, may_go_on = anyio.Event(), anyio.Event()

    async def held(service: ServiceContext, job: Job) -> Reschedule | None:
        again = await run_job(service, job)
        if again:
            tried.set()
            await may_go_on.wait()
        return again

    for engine in (sqlite_worker, procrastinate_worker):
        monkeypatch.setattr(engine, "run_job", held)
    receiver.will(replies(500), replies(200))
    async with running_service(
        place, FixedSource(HIT), allow_private=True, delivery_delays=SLOWLY
    ) as it:
        await it.accepted(callback_url=receiver.url)
        await tried.wait()
        await _repeat(it)
        await until(lambda: it.rows(TRIES) == [(1, 1, 500), (2, 1, 200)])
        may_go_on.set()
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])


@pytest.mark.parametrize("status", [200, 500])
async def test_a_repeat_that_is_asked_for_during_a_try_is_not_lost_with_it(
    place: Place, receiver: ScriptedServer, status: int
) -> None:
    may_answer = anyio.Event()

    async def late(stream: SocketStream, seen: ReceivedRequest) -> None:
        await may_answer.wait()
        await replies(status)(stream, seen)

    receiver.will(late, late, *[replies(204)] * (status != 200))
    async with _quick(place) as it:
        await it.accepted(callback_url=receiver.url)
        await until(lambda: len(receiver.seen) == 1)
        await _repeat(it)
        await until(lambda: len(receiver.seen) == 2)  # at once, while the first one runs
        may_answer.set()
        told = [(1, 1, status), (2, 1, status), (2, 2, 204)]
        await until(lambda: it.rows(TRIES) == told[: 2 if status == 200 else 3])
        await until(lambda: it.rows(NONE_LEFT) == [(0,)])


async def test_a_callback_that_cannot_be_redelivered_is_refused(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        await it.accepted(callback_url="https://a.example/")
        ((callback_id,),) = it.rows("SELECT id FROM callbacks")
        cases = [
            (it.team_id, callback_id),  # its request still runs
            (it.team_id, "0" * 24),
            (it.team_id + 1, callback_id),
        ]
        database = it.service.database
        for team_id, name in cases:
            with pytest.raises(InvalidArguments):
                await database.write(
                    lambda c, t=team_id, n=name: redeliver(c, database.queue, t, n, at=0)
                )
        assert it.rows("SELECT round FROM callbacks") == [(1,)]


def _quick(place: Place):
    return running_service(place, FixedSource(HIT), allow_private=True, delivery_delays=QUICKLY)


async def _ended(it: RunningService, receiver: ScriptedServer) -> Job:
    """The callback job of a request that is final."""
    request_id = await it.accepted(callback_url=receiver.url)
    await look_up(it.service, Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id))
    ((callback_id,),) = it.rows("SELECT id FROM callbacks")
    return Job(kind=JobKind.DELIVER, target_id=callback_id, team_id=it.team_id)


async def _repeat(it: RunningService) -> None:
    ((callback_id,),) = it.rows("SELECT id FROM callbacks")
    now = it.service.clock()
    database = it.service.database
    await database.write(lambda c: redeliver(c, database.queue, it.team_id, callback_id, at=now))
    it.service.wake()


def _command(*arguments: str) -> list[list[str]]:
    """The columns that `mcp-enrichment callbacks …` prints."""
    done = CliRunner().invoke(main, ["callbacks", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [line.split("\t") for line in done.stdout.splitlines()]
