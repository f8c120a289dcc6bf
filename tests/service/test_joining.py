"""While a lookup runs, a second request of the team for the same profile joins it and costs nothing
more, and both callers get its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS
from mcp_enrichment.service.requests.submission import MAX_CALLBACKS
from tests.support.keyed_client import create_key
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
from tests.support.scripted_server import replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
KEY = {"idempotency-key": "k-1"}
OTHER_KEY = {"idempotency-key": "k-2"}


async def test_a_second_request_joins_the_one_that_runs_and_holds_no_second_credit(
    place: Place,
) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source) as it:
        first = await it.accepted()
        with anyio.fail_after(HANG):
            await source.asked.wait()  # joined also while it is processing
        again = await it.accepted(linkedin_url="linkedin.com/in/Ada-Okafor-EXAMPLE/?x=1")
        assert again == first
        assert await it.balance() == 9
        source.may_answer.set()
        assert (await it.final(first))["email"]["email"] == ADAS
        assert await it.balance() == 9
    ledger_is_exact(place)


@pytest.mark.parametrize("other", [{"type": "personal"}, {"linkedin_url": f"{ADA}-2"}])
async def test_another_question_is_not_joined(place: Place, other: dict[str, str]) -> None:
    async with running_service(place, jobs=False) as it:
        assert await it.accepted() != await it.accepted(**other)
        assert await it.balance() == 8


async def test_another_teams_request_is_not_joined(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        ours = await it.accepted()
        await _become_another_team(it)
        theirs = await it.accepted()
        assert theirs != ours
        assert (await it.get(ours)).status_code == 404
    ledger_is_exact(place)


async def test_what_has_ended_is_not_joined(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        first = await it.accepted()
        await it.final(first)
        assert await it.accepted() != first
        assert await it.balance() == 8
    ledger_is_exact(place)


async def test_each_joined_request_has_its_own_external_id(place: Place) -> None:
    source = SlowSource(HIT)
    async with (
        scripted_server() as receiver,
        running_service(place, source, allow_private=True) as it,
    ):
        receiver.always(replies(200))
        asked = {
            "one": {"callback_url": f"{receiver.url}/one", "external_id": "lead-1"},
            "two": {"callback_url": f"{receiver.url}/two", "external_id": "lead-2"},
            "same": {"callback_url": f"{receiver.url}/one", "external_id": "lead-1"},
            "none": {"callback_url": f"{receiver.url}/none"},
        }
        posted = [await it.post(**body) for body in asked.values()]
        told = [response.json().get("external_id") for response in posted]
        assert told == ["lead-1", "lead-2", "lead-1", None]
        assert len({response.json()["_id"] for response in posted}) == 1
        source.may_answer.set()
        await until(lambda: len(receiver.seen) == 3)
        await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    heard = sorted((seen.path, seen.json.get("external_id", "")) for seen in receiver.seen)
    assert heard == [("/none", ""), ("/one", "lead-1"), ("/two", "lead-2")], (
        "equal callbacks are sent once"
    )
    assert {seen.json["status"] for seen in receiver.seen} == {"completed"}
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 3
    ledger_is_exact(place)


async def test_joining_is_no_way_to_send_callbacks_without_end(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        for number in range(MAX_CALLBACKS):
            await it.accepted(callback_url=f"https://example.com/{number}")
        refused = await it.post(callback_url="https://example.com/one-too-many")
        assert (refused.status_code, await it.balance()) == (400, 9)
        assert it.rows("SELECT count(*) FROM callbacks") == [(MAX_CALLBACKS,)]


async def test_a_request_is_joined_although_no_credit_is_left(place: Place) -> None:
    async with running_service(place, jobs=False, credits=1) as it:
        assert await it.accepted() == await it.accepted()
        assert (await it.post(type="personal")).status_code == 402


async def test_200_identical_posts_at_once_to_two_services_are_one_request(place: Place) -> None:
    ids: set[str] = set()
    async with (
        running_service(place, jobs=False) as one,
        running_service(place, jobs=False) as other,
    ):

        async def post(number: int) -> None:
            ids.add(await (one, other)[number % 2].accepted(external_id=str(number)))

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(post, number)
        assert len(ids) == 1
        assert await one.balance() == 9
        assert one.rows("SELECT count(*) FROM jobs") == [(1,)]
    ledger_is_exact(place)


async def test_the_key_of_a_request_that_joined_replays_it(place: Place) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source) as it:
        first = await it.accepted()
        joined = await it.post(headers=KEY, external_id="mine")
        assert joined.json()["_id"] == first
        assert joined.headers["idempotent-replayed"] == "false"
        assert (await it.post(headers=KEY, external_id="other")).status_code == 422
        source.may_answer.set()
        await it.final(first)
        again = await it.post(headers=KEY, external_id="mine")
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.json()["_id"], again.json()["external_id"]) == (first, "mine")
        assert again.content == joined.content
        assert await it.balance() == 9
    ledger_is_exact(place)


async def test_a_replay_adds_no_second_callback(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        for headers in (KEY, KEY, OTHER_KEY, OTHER_KEY):
            await it.post(headers=headers, callback_url="https://a.example/")
        assert it.rows("SELECT count(*) FROM callbacks") == [(1,)]


async def test_a_key_stands_for_its_request_for_24_hours_and_no_longer(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(HIT), clock=clock) as it:
        first = (await it.post(headers=KEY)).json()["_id"]
        await it.final(first)
        clock.now += IDEMPOTENCY_SECONDS - 1
        assert (await it.post(headers=KEY)).json()["_id"] == first
        clock.now += 2
        later = await it.post(headers=KEY)
        assert later.headers["idempotent-replayed"] == "false"
        assert later.json()["_id"] != first
        assert it.rows("SELECT request_id FROM idempotency_keys") == [(later.json()["_id"],)]
    assert IDEMPOTENCY_SECONDS == 24 * 3600
    ledger_is_exact(place)


async def test_a_key_is_kept_in_the_database_and_not_in_memory(place: Place) -> None:
    async with (
        running_service(place, jobs=False) as one,
        running_service(place, jobs=False) as other,
    ):
        first = (await one.post(headers=KEY)).json()["_id"]
        again = await other.post(headers=KEY)
        assert (again.json()["_id"], again.headers["idempotent-replayed"]) == (first, "true")
    async with running_service(place, jobs=False) as restarted:
        assert (await restarted.post(headers=KEY)).json()["_id"] == first
        assert (await restarted.post(headers=KEY, type="personal")).status_code == 422


async def test_a_key_is_each_teams_own(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        ours = await it.post(headers=KEY)
        await _become_another_team(it)
        theirs = await it.post(headers=KEY, type="personal")
        assert theirs.headers["idempotent-replayed"] == "false"
        assert theirs.json()["_id"] != ours.json()["_id"]


async def _become_another_team(it: RunningService) -> None:
    it.http.headers["x-api-key"] = await create_key(it, "another")
