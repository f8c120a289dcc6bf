"""A held GET or POST is answered moments after any process saves the outcome; holding costs very
little.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from mcp_enrichment.service.db import postgres
from mcp_enrichment.service.db.sqlite import DataVersion
from mcp_enrichment.service.requests import completion_waiter
from tests.support.databases import change, rows
from tests.support.forks import popen
from tests.support.running_service import (
    ADA,
    HIT,
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

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
MANY = 1000
LISTENERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query = 'LISTEN request_completed' AND state = 'idle' AND datname = current_database()
"""


class Held:
    """GETs that are held at the same time, and their answers as they arrive."""

    def __init__(self, it: RunningService, ids: Sequence[str]) -> None:
        self.answers: list[httpx.Response] = []
        self._it, self._ids = it, ids

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            for request_id in self._ids:
                tasks.start_soon(self._ask, request_id)

    async def are_held(self) -> None:
        waiting = self._it.service.completion_waiter._waiting
        await until(lambda: sum(map(len, waiting.values())) == len(self._ids))

    async def _ask(self, request_id: str) -> None:
        self.answers.append(await self._it.get(request_id, prefer="wait=60"))

    def statuses(self) -> set[str]:
        return {answer.json()["status"] for answer in self.answers}


async def test_a_post_that_may_wait_is_answered_with_the_outcome(place: Place) -> None:
    key = {"idempotency-key": "k-1"}
    async with running_service(place, FixedSource(HIT)) as it:
        answer = await it.post(headers=key | {"prefer": "wait=60"}, external_id="x")
        body = answer.json()
        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == "wait=60"
        assert (body["status"], body["email"]["email"]) == ("completed", HIT.email)
        assert (body["external_id"], body["credits_charged"]) == ("x", 1)
        assert (await it.get(body["_id"])).json() == body
        again = await it.post(headers=key, external_id="x")
        assert (again.json()["_id"], again.json()["status"]) == (body["_id"], "pending")
        assert "preference-applied" not in again.headers
    ledger_is_exact(place)


async def test_a_post_whose_lookup_outlasts_its_wait_is_answered_as_at_once(place: Place) -> None:
    async with running_service(place, SlowSource(HIT)) as it:
        held = await it.post(headers={"prefer": "wait=1"})
        at_once = await it.post()  # it joins
        assert held.json() == at_once.json()
        assert held.json()["status"] == "pending"
        assert held.headers["preference-applied"] == "wait=1"


async def test_a_held_post_that_joins_another_is_answered_with_its_own_reference(
    place: Place,
) -> None:
    source, answers = SlowSource(HIT), dict[str, Any]()
    async with running_service(place, source) as it, anyio.create_task_group() as tasks:

        async def post(reference: str) -> None:
            answer = await it.post(headers={"prefer": "wait=60"}, external_id=reference)
            answers[reference] = answer.json()

        tasks.start_soon(post, "a")
        await source.asked.wait()
        tasks.start_soon(post, "b")
        waiting = it.service.completion_waiter._waiting
        await until(lambda: sum(map(len, waiting.values())) == 2)
        source.may_answer.set()
        await until(lambda: len(answers) == 2)
    assert {name: one["external_id"] for name, one in answers.items()} == {"a": "a", "b": "b"}
    assert {one["status"] for one in answers.values()} == {"completed"}


async def test_a_held_post_is_answered_as_accepted_though_its_outcome_cannot_be_read(
    place: Place,
) -> None:
    """An error would say that nothing was started: the caller would ask, and pay, again."""
    source, answers = SlowSource(HIT), list[httpx.Response]()
    async with running_service(place, source) as it, anyio.create_task_group() as tasks:

        async def post() -> None:
            answers.append(await it.post(headers={"prefer": "wait=60"}))

        tasks.start_soon(post)
        await until(lambda: bool(it.service.completion_waiter._waiting))
        change(place, "ALTER TABLE requests RENAME TO gone")
        it.service.completion_waiter.release_waiters()
        await until(lambda: bool(answers))
        change(place, "ALTER TABLE gone RENAME TO requests")
        [answer] = answers
        assert (answer.status_code, answer.json()["status"]) == (201, "pending")
        source.may_answer.set()


async def test_an_end_in_the_same_process_is_answered_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataVersion, "__call__", lambda _: 1)  # no change is seen
    monkeypatch.setattr(completion_waiter, "POLL_EVERY_WITH_LISTENER", 3600)
    source = SlowSource(HIT)
    async with running_service(place, source) as it, anyio.create_task_group() as tasks:
        held = Held(it, [await it.accepted()])
        tasks.start_soon(held.run)
        await held.are_held()
        source.may_answer.set()
        await until(lambda: held.answers != [])
    assert held.statuses() == {"completed"}


async def test_an_end_in_another_service_is_answered_within_moments(place: Place) -> None:
    source = SlowSource(HIT)
    async with (
        running_service(place, jobs=False) as here,
        running_service(place, source),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(here.service.completion_waiter.watch)
        held = Held(here, [await here.accepted()])
        tasks.start_soon(held.run)
        await held.are_held()
        source.may_answer.set()
        await until(lambda: here.rows("SELECT status FROM requests") == [("completed",)])
        with anyio.fail_after(HANG):
            await until(lambda: held.answers != [])
        tasks.cancel_scope.cancel()
    assert held.statuses() == {"completed"}


async def test_on_postgres_the_end_itself_is_told_and_nobody_looks_for_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion_waiter, "POLL_EVERY_WITH_LISTENER", 3600)
    source = SlowSource(HIT)
    async with (
        running_service(url, jobs=False) as here,
        running_service(url, source),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(here.service.completion_waiter.watch)
        await until(lambda: rows(url, LISTENERS) == [(2,)])
        held = Held(here, [await here.accepted(), await here.accepted(type="personal")])
        tasks.start_soon(held.run)
        await held.are_held()
        source.may_answer.set()
        await until(lambda: len(held.answers) == 2)
        tasks.cancel_scope.cancel()
    assert held.statuses() == {"completed"}


async def test_an_end_that_was_not_heard_of_is_seen_when_it_can_be_heard_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion_waiter, "POLL_EVERY_WITH_LISTENER", 3600)
    monkeypatch.setattr(postgres, "RECONNECT_EVERY", 1.5)
    async with running_service(url, jobs=False) as here, anyio.create_task_group() as tasks:
        tasks.start_soon(here.service.completion_waiter.watch)
        await until(lambda: rows(url, LISTENERS) == [(1,)])
        held = Held(here, [await here.accepted()])
        tasks.start_soon(held.run)
        await held.are_held()
        rows(url, LISTENERS.replace("count(*)", "pg_terminate_backend(pid)"))
        async with running_service(url, FixedSource(HIT)):
            await until(lambda: here.rows("SELECT status FROM requests") == [("completed",)])
        await until(lambda: len(held.answers) == 1)
        tasks.cancel_scope.cancel()
    assert held.statuses() == {"completed"}


async def test_an_end_in_another_process_is_answered_too(place: Place) -> None:
    async with running_service(place, jobs=False) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(it.service.completion_waiter.watch)
        held = Held(it, [await it.accepted()])
        tasks.start_soon(held.run)
        await held.are_held()
        with _another_process(it):
            with anyio.fail_after(HANG):
                await until(lambda: held.answers != [])
        tasks.cancel_scope.cancel()
    assert held.statuses() <= {"completed", "not-found", "failed"}


async def test_what_ends_between_the_reading_and_the_holding_is_not_missed(place: Place) -> None:
    async with running_service(place, FixedSource(HIT), jobs=False) as it:
        request_id = await it.accepted()
        wait = it.service.completion_waiter.wait

        async def end_before(its_id: str, seconds: float) -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(it.engine.run, it.service)
                await until(lambda: it.rows("SELECT status FROM requests") == [("completed",)])
                tasks.cancel_scope.cancel()
            await wait(its_id, seconds)

        object.__setattr__(
            it.service, "completion_waiter", _Instead(it.service.completion_waiter, end_before)
        )
        with anyio.fail_after(HANG):  # nobody watches: the wait polls once when it is registered
            assert (await it.get(request_id, prefer="wait=60")).json()["status"] == "completed"


async def test_released_waiters_get_the_last_state(place: Place) -> None:
    async with running_service(place, SlowSource(HIT)) as it, anyio.create_task_group() as tasks:
        held = Held(it, [await it.accepted(), await it.accepted(type="personal")])
        tasks.start_soon(held.run)
        await held.are_held()
        it.service.completion_waiter.release_waiters()
        with anyio.fail_after(HANG):
            await until(lambda: len(held.answers) == 2)
            late = await it.get(await it.accepted(), prefer="wait=60")  # from now on no GET is held
        assert held.statuses() | {late.json()["status"]} <= {"pending", "processing"}


async def test_a_caller_who_hangs_up_is_waited_for_no_more(place: Place) -> None:
    async with running_service(place, SlowSource(HIT)) as it:
        held = Held(it, [await it.accepted()])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(held.run)
            await held.are_held()
            tasks.cancel_scope.cancel()
        assert it.service.completion_waiter._waiting == {}


async def test_1000_held_answers_cost_no_thread_each_and_hold_up_nobody(place: Place) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source, credits=MANY) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-{n}") for n in range(MANY // 10)]
        async with anyio.create_task_group() as tasks:
            before = threading.active_count()
            held = Held(it, ids * 10)
            tasks.start_soon(held.run)
            await held.are_held()
            assert threading.active_count() <= before + 8
            assert (await it.get(ids[0])).status_code == 200
            assert held.answers == []
            source.may_answer.set()
            await until(lambda: len(held.answers) == MANY)
    assert held.statuses() == {"completed"}


class _Instead:
    def __init__(self, completion_waiter: Any, wait: Any) -> None:
        self.wait, self.notify = wait, completion_waiter.notify


def _another_process(it: RunningService) -> subprocess.Popen[str]:
    """A worker on the same file; it ends when its stdin is closed."""
    program = [sys.executable, "-m", "tests.support.chaos_worker"]
    program += [str(it.place), str(it.team_id), "http://127.0.0.1:9"]
    process = popen(program, cwd=ROOT, text=True, stdin=-1, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write('{"seed": 1, "numbers": [], "works": true}\n')
    process.stdin.flush()
    return process
