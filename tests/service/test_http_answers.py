"""The three routes answer as the contract says. The client's event hook checks every answer in
tests/service against the contract."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.service.http import parsing
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    MISS,
    FixedSource,
    SlowSource,
    running_service,
)
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio


async def test_a_post_answers_with_the_accepted_request(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        response = await it.post(linkedin_url="linkedin.com/in/Ada-Okafor-EXAMPLE/?x=1")
    body = response.json()
    assert response.status_code == 201
    assert re.fullmatch("[0-9a-f]{24}", body.pop("_id"))
    assert body.pop("created_at") > 0
    assert body == {"status": "pending", "linkedin_url": ADA}


async def test_a_hit_is_completed_with_its_address(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        body = await it.final(await it.accepted(type="personal", external_id="lead-42"))
    del body["_id"], body["created_at"]
    assert body == {
        "status": "completed",
        "linkedin_url": ADA,
        "enrichment_type": "personal_email",
        "email": {"email": ADAS, "type": "personal"},
        "external_id": "lead-42",
        "credits_charged": 1,
        "source": "scripted",
        "verification": "verified",
    }


async def test_a_miss_is_not_found_with_a_null_email(place: Place) -> None:
    async with running_service(place, FixedSource(MISS)) as it:
        body = await it.final(await it.accepted())
    assert body["status"] == "not-found"
    assert body["email"] is None
    assert body["credits_charged"] == 0


async def test_the_balance_leaves_out_what_running_requests_hold(place: Place) -> None:
    async with running_service(place, jobs=False, credits=250) as it:
        assert (await it.http.get(CREDITS)).json() == {"balance": 250, "held": 0}
        await it.accepted()
        assert await it.balance() == 249


async def test_fields_that_the_contract_does_not_know_are_ignored(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        assert (await it.post(status="completed", email="x@example.com")).status_code == 201


@pytest.mark.parametrize("external_id", ["", "x" * 256, "🦜" * 256, "ключ\n\"'; DROP TABLE"])
async def test_an_external_id_is_echoed_as_it_came(place: Place, external_id: str) -> None:
    async with running_service(place, jobs=False) as it:
        request_id = await it.accepted(external_id=external_id)
        assert (await it.get(request_id)).json()["external_id"] == external_id


async def test_ids_cannot_be_guessed_from_another(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        ids = {await it.accepted(linkedin_url=f"{ADA}-{n}") for n in range(10)}
    assert len({request_id[:6] for request_id in ids}) == 10


async def test_a_preferred_wait_is_held_until_the_request_is_final(place: Place) -> None:
    source = SlowSource(HIT)
    answers = []
    async with running_service(place, source) as it:
        request_id = await it.accepted()

        async def ask() -> None:
            answers.append(await it.get(request_id, prefer="respond-async, wait=30"))

        with anyio.fail_after(HANG):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await source.asked.wait()
                assert answers == []
                source.may_answer.set()
    assert answers[0].headers["preference-applied"] == "wait=30"
    assert answers[0].json()["status"] == "completed"


async def test_a_preferred_wait_sees_an_end_that_another_process_brings(place: Place) -> None:
    async with (
        running_service(place, jobs=False) as here,
        running_service(place, FixedSource(HIT)),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(here.service.completion_waiter.watch)
        assert (await here.final(await here.accepted()))["status"] == "completed"
        tasks.cancel_scope.cancel()


async def test_a_preferred_wait_that_runs_out_answers_with_what_is_known(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "MAX_WAIT", 0)  # the cap is obeyed: this takes no minute
    async with running_service(place, jobs=False) as it:
        with anyio.fail_after(HANG):
            response = await it.get(await it.accepted(), prefer="wait=60")
    assert response.json()["status"] == "pending"
    assert response.headers["preference-applied"] == "wait=0"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("respond-async,wait=5;x=y", 5),
        ("wait=0", 0),
        ("wait=60", 60),
        ("wait=61", 60),
        ("wait=999999999", 60),
        ("wait=-5", None),
        ("wait=soon", None),
        ("wait=1.5", None),
        ("wait=", None),
        ("await=5", None),
        ("return=minimal", None),
    ],
)
async def test_a_wait_is_applied_up_to_a_minute_and_nonsense_is_ignored(
    place: Place, prefer: str, applied: int | None
) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        request_id = await it.accepted()
        await it.final(request_id)
        response = await it.get(request_id, prefer=prefer)
    stated = response.headers.get("preference-applied")
    assert stated == (None if applied is None else f"wait={applied}")


async def test_a_method_that_a_path_does_not_know_is_a_405_that_names_those_it_does(
    place: Place,
) -> None:
    async with running_service(place, jobs=False) as it:
        for method, where in [("GET", ENRICHMENTS), ("DELETE", ENRICHMENTS), ("POST", CREDITS)]:
            response = await it.http.request(method, where)
            assert response.status_code == 405
            assert response.json()["error"]["code"] == "method_not_allowed"
            assert ("POST" if where == ENRICHMENTS else "GET") in response.headers["allow"]
