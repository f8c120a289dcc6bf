"""With an Idempotency-Key, a POST may be repeated without paying twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import psycopg
import pytest

from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.privacy.retention import delete_expired_keys
from tests.support.running_service import HIT, Clock, FixedSource, ledger_is_exact, running_service
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
KEY = {"idempotency-key": "k-1"}


async def test_the_same_key_and_body_answer_with_the_first_request(place: Place) -> None:
    async with running_service(place, FixedSource(HIT), credits=1) as it:
        first = await it.post(headers=KEY)
        await it.final(first.json()["_id"])
        again = await it.post(headers=KEY)  # although no credit is left
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content, "byte for byte; the outcome is read by a GET"
        assert again.json()["status"] == "pending"
        assert first.headers["idempotent-replayed"] == "false"
        assert again.headers["idempotent-replayed"] == "true"
    ledger_is_exact(place)


async def test_the_same_key_with_another_body_is_a_422(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        await it.post(headers=KEY)
        for change in ({"type": "personal"}, {"external_id": "x"}):
            response = await it.post(headers=KEY, **change)
            assert response.status_code == 422
            assert "Idempotency-Key" in response.json()["error"]["message"]
        assert await it.balance() == 9


async def test_without_a_key_a_post_is_never_told_to_be_a_replay(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        responses = []
        for _ in range(2):  # the second after the first is final: a new request
            responses.append(await it.post())
            await it.final(responses[-1].json()["_id"])
        assert len({response.json()["_id"] for response in responses}) == 2
        assert all("idempotent-replayed" not in response.headers for response in responses)
        assert await it.balance() == 8


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 201), (255, 201), (256, 400)])
async def test_a_key_has_1_to_255_characters(place: Place, length: int, status: int) -> None:
    async with running_service(place, jobs=False) as it:
        response = await it.post(headers={"idempotency-key": "k" * length})
        assert response.status_code == status


async def test_twenty_at_once_with_one_key_make_one_request(place: Place) -> None:
    ids: list[str] = []
    async with (
        running_service(place, jobs=False) as one,
        running_service(place, jobs=False) as other,
    ):

        async def post(number: int) -> None:
            response = await (one, other)[number % 2].post(headers=KEY)
            assert response.status_code == 201
            ids.append(response.json()["_id"])

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(post, number)
        assert len(ids) == 20
        assert len(set(ids)) == 1
        assert await one.balance() == 9
    ledger_is_exact(place)


async def test_a_key_that_was_refused_for_want_of_credits_may_be_used_again(place: Place) -> None:
    async with running_service(place, jobs=False, credits=0) as it:
        assert (await it.post(headers=KEY)).status_code == 402
        await it.service.database.write(lambda c: ledger.grant(c, it.team_id, 1, at=0))
        assert (await it.post(headers=KEY)).headers["idempotent-replayed"] == "false"
    ledger_is_exact(place)


KEYS = "SELECT key FROM idempotency_keys ORDER BY key"


async def test_keys_whose_time_is_over_are_deleted_and_the_others_are_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.privacy.retention.BATCH", 2)
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        for number in range(5):
            await it.post(headers={"idempotency-key": f"old-{number}"})
        clock.now += IDEMPOTENCY_SECONDS
        await it.post(headers={"idempotency-key": "young"})
        clock.now += 1
        assert await delete_expired_keys(it.service) == 5
        assert it.rows(KEYS) == [("young",)]
        assert await delete_expired_keys(it.service) == 0


async def test_a_post_waits_for_nobody_who_deletes_old_keys(url: str) -> None:
    clock = Clock()
    async with running_service(url, jobs=False, clock=clock) as it:
        await it.post(headers={"idempotency-key": "old"})
        clock.now += 2 * IDEMPOTENCY_SECONDS
        with psycopg.connect(url) as other, anyio.fail_after(HANG):
            other.execute("DELETE FROM idempotency_keys")  # and does not commit
            assert (await it.post(headers={"idempotency-key": "new"})).status_code == 201
