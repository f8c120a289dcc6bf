"""In the test mode over HTTP, an integrator can force every outcome; each is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.openapi import must_be
from tests.support.running_service import HIT, FixedSource, running_service, until
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio

TRIES = "SELECT number, outcome, http_status FROM callback_attempts ORDER BY number"


def _person(scenario: str) -> str:
    return f"https://www.linkedin.com/in/sandbox-{scenario}"


@pytest.mark.parametrize(
    ("scenario", "status", "email"),
    [
        ("found", "completed", "sandbox-found.work@example.com"),
        ("slow-0", "completed", "sandbox-slow-0.work@example.com"),
        ("not-found", "not-found", None),
        ("failed", "failed", None),
    ],
)
async def test_a_lookup_ends_as_the_name_says_and_is_marked(
    place: Place, scenario: str, status: str, email: str | None
) -> None:
    source = FixedSource(HIT)
    async with running_service(place, source, sandbox=True) as it:
        ended = await it.final(await it.accepted(linkedin_url=_person(scenario)))
        assert await it.balance() == (9 if email else 10)
    must_be("Enrichment", ended)
    assert (ended["status"], ended["reason"]) == (status, "sandbox")
    assert (ended.get("email") or {}).get("email") == email
    assert not source.asked


async def test_either_type_can_be_found(place: Place) -> None:
    async with running_service(place, FixedSource(HIT), sandbox=True) as it:
        asked: dict[str, Any] = {"linkedin_url": _person("found"), "type": "personal"}
        ended = await it.final(await it.accepted(**asked))
    assert ended["email"] == {"email": "sandbox-found.personal@example.com", "type": "personal"}


async def test_a_slow_lookup_is_unfinished_until_its_seconds_are_over(place: Place) -> None:
    async with running_service(place, FixedSource(HIT), sandbox=True) as it:
        request_id = await it.accepted(linkedin_url=_person("slow-5"))
        held = (await it.get(request_id, prefer="wait=0")).json()
        assert held["status"] in ("pending", "processing")
        assert (await it.final(request_id))["status"] == "completed"


@pytest.mark.parametrize(("scenario", "status"), [("no-credits", 402), ("rate-limited", 429)])
async def test_a_request_is_refused_as_the_name_says_and_holds_nothing(
    place: Place, scenario: str, status: int
) -> None:
    async with running_service(place, FixedSource(HIT), sandbox=True) as it:
        refused = await it.post(linkedin_url=_person(scenario))
        assert refused.status_code == status
        assert (refused.headers.get("retry-after") == "30") is (status == 429)
        assert await it.balance() == 10
        assert it.rows("SELECT count(*) FROM requests") == [(0,)]


async def test_a_callback_fails_twice_and_arrives_at_the_third_try(place: Place) -> None:
    async with (
        scripted_server() as receiver,
        running_service(
            place, sandbox=True, allow_private=True, delivery_delays=(0.0, 0.002, 0.004)
        ) as it,
    ):
        receiver.will(replies(204))
        asked = {"linkedin_url": _person("callback-fails-twice"), "callback_url": receiver.url}
        await it.accepted(**asked)
        await until(lambda: len(it.rows(TRIES)) == 3 and it.rows(TRIES)[2][1] is not None)
        assert [outcome for _, outcome, _ in it.rows(TRIES)] == [
            "http-error",
            "http-error",
            "delivered",
        ]
        assert len(receiver.seen) == 1


@pytest.mark.parametrize("scenario", ["found", "no-credits", "failed"])
async def test_without_the_setting_the_names_are_ordinary(place: Place, scenario: str) -> None:
    source = FixedSource(HIT)
    async with running_service(place, source) as it:
        ended = await it.final(await it.accepted(linkedin_url=_person(scenario)))
    assert ended["email"]["email"] == HIT.email
    assert source.asked == [_person(scenario)]


@pytest.mark.parametrize("name", ["sandbox", "sandbox-", "sandbox-other", "my-sandbox-found"])
async def test_other_names_are_ordinary_in_the_test_mode_too(place: Place, name: str) -> None:
    async with running_service(place, FixedSource(HIT), sandbox=True) as it:
        asked = f"https://www.linkedin.com/in/{name}"
        assert (await it.final(await it.accepted(linkedin_url=asked)))["email"][
            "email"
        ] == HIT.email
