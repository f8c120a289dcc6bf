"""Several requests in one POST: each has its own result, and a repeat of all or of one of them
starts nothing again."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import MAX_BATCH
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.http.parsing import MAX_BATCH_BODY
from mcp_enrichment.service.http.rate_limit import RateLimit
from mcp_enrichment.service.requests import batch_submission
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import must_be
from tests.support.running_service import (
    HIT,
    Clock,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from tests.support.databases import Place
    from tests.support.running_service import RunningService

pytestmark = pytest.mark.anyio
SECRET = "zelda-zyx"
"""Part of the input; it must not be in an answer."""


def person(number: int, **more: Any) -> dict[str, Any]:
    """A request about one of many persons."""
    return {"linkedin_url": f"https://www.linkedin.com/in/person-{number}", "type": "work"} | more


@asynccontextmanager
async def team(
    it: RunningService,
    name: str = "lumen",
    *,
    credits: int = 10,  # noqa: A002
    **options: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key of the team."""
    key = await create_key(it, name, credits=credits)
    async with keyed_client(it, key, **options) as http:
        yield http


async def post(
    http: httpx.AsyncClient, *requests: Any, headers: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """POST a batch that must be answered; return the results."""
    response = await http.post(BATCH, json={"requests": requests}, headers=headers)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    assert len(results) == len(requests)
    for result in results:
        if result["status"] == 201:
            must_be("Enrichment", result["enrichment"])
        else:
            must_be("Error", result)
    return results


def statuses(results: list[dict[str, Any]]) -> list[int]:
    return [result["status"] for result in results]


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [result["enrichment"]["_id"] for result in results]


async def balance(http: httpx.AsyncClient) -> int:
    return int((await http.get(CREDITS)).json()["balance"])


async def final(http: httpx.AsyncClient, request_id: str) -> dict[str, Any]:
    """The request once it is final."""
    while True:
        got = await http.get(f"{ENRICHMENTS}/{request_id}", headers={"prefer": "wait=60"})
        if got.json()["status"] not in ("pending", "processing"):
            return dict(got.json())


async def test_each_request_of_a_batch_is_accepted_looked_up_and_charged(place: Place) -> None:
    async with (
        running_service(place, FixedSource(HIT)) as it,
        team(it, credits=MAX_BATCH) as http,
    ):
        results = await post(http, *(person(n, external_id=f"e{n}") for n in range(MAX_BATCH)))
        assert statuses(results) == [201] * MAX_BATCH
        assert [one["enrichment"]["external_id"] for one in results] == [
            f"e{n}" for n in range(MAX_BATCH)
        ]
        assert len(set(ids(results))) == MAX_BATCH
        for number, request_id in enumerate(ids(results)):
            ended = await final(http, request_id)
            assert ended["status"] == "completed"
            assert ended["linkedin_url"] == person(number)["linkedin_url"]
        assert await balance(http) == 0
    ledger_is_exact(place)


async def test_a_request_that_is_refused_leaves_the_others_their_result(place: Place) -> None:
    async with running_service(place, jobs=False) as it, team(it) as http:
        await post(http, person(1, idempotency_key="used"))
        results = await post(
            http,
            person(2),
            person(3, linkedin_url=f"https://www.linkedin.com/company/{SECRET}"),
            person(4, callback_url=f"http://localhost/{SECRET}"),
            person(5, external_id=f"{SECRET}\0"),
            person(6, idempotency_key="used"),
            person(7),
        )
        assert statuses(results) == [201, 400, 400, 400, 422, 201]
        assert [one["error"]["code"] for one in results[1:5]] == [
            "invalid_profile_url",
            "invalid_callback_url",
            "invalid_arguments",
            "idempotency_conflict",
        ]
        assert SECRET not in json.dumps(results)
        assert await balance(http) == 7
        assert it.rows("SELECT count(*) FROM jobs") == [(3,)]
    ledger_is_exact(place)


async def test_the_first_requests_get_the_credits_and_each_of_the_others_is_a_402(
    place: Place,
) -> None:
    async with running_service(place, jobs=False) as it, team(it, credits=3) as http:
        # Their order is not that of their profiles.
        results = await post(http, *(person(number) for number in (9, 1, 8, 2, 9, 7)))
        assert statuses(results) == [201, 201, 201, 402, 201, 402]
        assert results[3]["error"]["code"] == "insufficient_credits"
        assert ids([results[4]]) == ids([results[0]]), "an equal one is joined and costs nothing"
        assert await balance(http) == 0
        assert it.rows("SELECT count(*) FROM requests") == [(3,)]
        again = await post(http, person(9), person(7))
        assert statuses(again) == [201, 402], "a running one is joined without a credit"
    ledger_is_exact(place)


async def test_credits_that_run_out_meanwhile_are_not_spent_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check of the credits and the second transaction another request takes some."""
    async with running_service(place, jobs=False) as it, team(it, credits=5) as http:
        team_id = it.rows("SELECT id FROM teams WHERE name = 'lumen'")[0][0]
        write, taken = it.service.database.write, iter([1, 2])

        async def write_after_others(work: Any) -> Any:
            if take := next(taken, 0):
                reason = {"at": 0.0, "reason": "spent elsewhere"}
                await write(lambda c: ledger.correct(c, team_id, -take, **reason))
            return await write(work)

        monkeypatch.setattr(it.service.database, "write", write_after_others)
        results = await post(http, *map(person, range(8)))
        assert statuses(results) == [201] * 2 + [402] * 6
        assert await balance(http) == 0
    ledger_is_exact(place)


async def test_the_same_batch_again_answers_with_the_same_requests_and_charges_nothing(
    place: Place,
) -> None:
    async with running_service(place, FixedSource(HIT)) as it, team(it, credits=3) as http:
        asked = [person(number, idempotency_key=f"k{number}") for number in range(4)]
        first = await post(http, *asked)
        assert statuses(first) == [201, 201, 201, 402]
        assert [one.get("idempotent_replayed") for one in first] == [False] * 3 + [None]
        for request_id in ids(first[:3]):
            await final(http, request_id)
        again = await post(http, *asked)
        assert [one["enrichment"] for one in again[:3]] == [one["enrichment"] for one in first[:3]]
        assert [one.get("idempotent_replayed") for one in again] == [True] * 3 + [None]
        assert again[3]["status"] == 402
        assert await balance(http) == 0
        assert it.rows("SELECT count(*) FROM requests") == [(3,)]
    ledger_is_exact(place)


@pytest.mark.parametrize("of_its_own", [True, False])
async def test_a_request_of_a_batch_is_repeated_alone_with_its_key(
    place: Place, of_its_own: bool
) -> None:
    async with running_service(place, jobs=False) as it, team(it) as http:
        key = {"idempotency_key": "mine"} if of_its_own else {}
        results = await post(
            http, person(1), person(2, **key), headers={"idempotency-key": "of-the-batch"}
        )
        headers = {"idempotency-key": "mine" if of_its_own else "of-the-batch.1"}
        alone = await http.post(ENRICHMENTS, json=person(2), headers=headers)
        assert alone.headers["idempotent-replayed"] == "true"
        assert alone.json() == results[1]["enrichment"]
        assert (await http.post(ENRICHMENTS, json=person(1), headers=headers)).status_code == 422
        assert await balance(http) == 8


async def test_a_key_of_another_team_is_not_known(place: Place) -> None:
    async with (
        running_service(place, jobs=False) as it,
        team(it) as ours,
        team(it, "other") as theirs,
    ):
        asked = [person(number, idempotency_key=f"k{number}") for number in range(3)]
        first = await post(ours, *asked)
        second = await post(theirs, *asked)
        assert [one["idempotent_replayed"] for one in second] == [False] * 3
        assert not set(ids(first)) & set(ids(second))
        got = await theirs.get(f"{ENRICHMENTS}/{ids(first)[0]}")
        assert got.status_code == 404


async def test_batches_at_once_with_the_same_requests_in_any_order_start_each_once(
    place: Place,
) -> None:
    found: list[list[str]] = []
    async with (
        running_service(place, jobs=False) as one,
        running_service(place, jobs=False) as other,
        team(one, credits=20) as http,
        team(other) as elsewhere,
    ):
        asked = [person(number, idempotency_key=f"k{number}") for number in range(20)]

        async def post_in_order(number: int) -> None:
            step = 1 if number % 4 < 2 else -1
            results = await post((http, elsewhere)[number % 2], *asked[::step])
            assert statuses(results) == [201] * 20
            found.append(ids(results)[::step])

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(post_in_order, number)
        assert len(found) == 8
        assert len({tuple(one) for one in found}) == 1
        assert await balance(http) == 0
    ledger_is_exact(place)


async def test_a_batch_joins_lookups_that_run(place: Place) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source) as it, team(it, credits=2) as http:
        [running] = await post(http, person(1))
        results = await post(http, person(2), person(1))
        assert ids(results)[1] == running["enrichment"]["_id"]
        assert await balance(http) == 0
        source.may_answer.set()
        for request_id in ids(results):
            await final(http, request_id)
    ledger_is_exact(place)


async def test_a_batch_that_cannot_be_saved_starts_nothing_and_its_repeat_starts_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StorageFailed(StorageFault.FULL)

    async with running_service(place, FixedSource(HIT)) as it, team(it) as http:
        asked = [person(number, idempotency_key=f"k{number}") for number in range(3)]
        with monkeypatch.context() as broken:
            broken.setattr(batch_submission.ledger, "hold", fail)
            failed = await http.post(BATCH, json={"requests": asked})
        assert (failed.status_code, await balance(http)) == (503, 10)
        assert it.rows("SELECT * FROM requests") == []
        for request_id in ids(await post(http, *asked)):
            assert (await final(http, request_id))["status"] == "completed"
    ledger_is_exact(place)


GOOD = json.dumps(person(1))
HOSTILE: dict[str, str | bytes] = {
    "nothing": b"",
    "no JSON": SECRET,
    "an array": f"[{GOOD}]",
    "no requests": "{}",
    "null": '{"requests": null}',
    "one request that is not in a list": f'{{"requests": {GOOD}}}',
    "a number in the list": f'{{"requests": [{GOOD}, 7]}}',
    "no request": '{"requests": []}',
    "101 requests": json.dumps({"requests": [person(number) for number in range(101)]}),
    "a type that is not known": json.dumps({"requests": [person(1), person(2, type=SECRET)]}),
    "a URL that is a number": json.dumps({"requests": [person(1), person(2, linkedin_url=7)]}),
    "a null": json.dumps({"requests": [person(1), person(2, external_id=None)]}),
    "a key that is null": json.dumps({"requests": [person(1, idempotency_key=None)]}),
    "an empty key": json.dumps({"requests": [person(1, idempotency_key="")]}),
    "a key of 256": json.dumps({"requests": [person(1, idempotency_key="k" * 256)]}),
    "a NUL in a key": json.dumps({"requests": [person(1, idempotency_key=f"{SECRET}\0")]}),
    "a line in a key": json.dumps({"requests": [person(1, idempotency_key=f"{SECRET}\n")]}),
    "the same key twice": json.dumps(
        {"requests": [person(1, idempotency_key=SECRET), person(2, idempotency_key=SECRET)]}
    ),
    "deep nesting": '{"requests": ' + "[" * 5000 + "]" * 5000 + "}",
    "a lone surrogate": f'{{"requests": [{{"linkedin_url": "\\ud800{SECRET}", "type": "work"}}]}}',
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_malformed_batch_is_refused_whole_and_repeats_nothing(
    place: Place, what: str
) -> None:
    async with running_service(place, jobs=False) as it, team(it) as http:
        headers = {"content-type": "application/json"}
        response = await http.post(BATCH, content=HOSTILE[what], headers=headers)
        assert response.status_code == 400, response.text
        assert response.json()["error"]["code"] == "invalid_arguments"
        assert SECRET not in response.text
        assert await balance(http) == 10
        assert it.rows("SELECT * FROM requests") == []


async def test_a_malformed_batch_is_told_by_the_place_of_its_fault(place: Place) -> None:
    async with running_service(place, jobs=False) as it, team(it) as http:
        response = await http.post(BATCH, json={"requests": [person(1), person(2, type="home")]})
        assert "requests.1.type" in response.json()["error"]["message"]


async def test_a_body_of_a_megabyte_is_a_413_and_the_longest_one_is_read(place: Place) -> None:
    async with running_service(place, jobs=False) as it, team(it) as http:
        headers = {"content-type": "application/json"}
        junk = await http.post(BATCH, content=b"[" * 2**20, headers=headers)
        assert junk.status_code == 413
        body = json.dumps({"requests": [person(1)]}).ljust(MAX_BATCH_BODY)
        assert (await http.post(BATCH, content=body, headers=headers)).status_code == 200
        longer = await http.post(BATCH, content=body + " ", headers=headers)
        assert longer.status_code == 413
        single = json.dumps(person(1)).ljust(MAX_BATCH_BODY)
        assert (await http.post(ENRICHMENTS, content=single, headers=headers)).status_code == 413


@pytest.mark.parametrize(("length", "status"), [(0, 400), (252, 200), (253, 400)])
async def test_the_key_of_a_batch_leaves_room_for_the_number_of_a_request(
    place: Place, length: int, status: int
) -> None:
    async with running_service(place, jobs=False) as it, team(it, credits=100) as http:
        asked = {"requests": [person(number) for number in range(MAX_BATCH)]}
        headers = {"idempotency-key": "k" * length}
        assert (await http.post(BATCH, json=asked, headers=headers)).status_code == status


async def test_each_request_of_a_batch_counts_in_the_quota_of_the_key(place: Place) -> None:
    clock = Clock()
    async with running_service(place, jobs=False) as it:
        limit = RateLimit(quota=60, clock=clock)
        async with team(it, credits=200, rate_limit=limit) as http:
            asked = {"requests": [person(number) for number in range(MAX_BATCH)]}
            accepted = await http.post(BATCH, json=asked)
            refused = await http.get(CREDITS)
            clock.now += float(refused.headers["retry-after"]) - 0.5
            too_soon = await http.post(BATCH, json=asked)
            clock.now += 0.5
            answered = await http.get(CREDITS)
    assert (accepted.status_code, refused.status_code) == (200, 429)
    assert accepted.headers["ratelimit"] == '"default";r=0;t=100'
    assert refused.headers["retry-after"] == "41"
    assert (too_soon.status_code, answered.status_code) == (429, 200)


async def test_without_a_key_of_the_service_a_batch_is_a_401(place: Place) -> None:
    async with running_service(place, jobs=False) as it, keyed_client(it) as http:
        assert (await http.post(BATCH, json={"requests": [person(1)]})).status_code == 401


async def test_every_answer_says_how_many_requests_a_batch_may_have(place: Place) -> None:
    async with running_service(place, jobs=False) as it, team(it, credits=1) as http:
        answers = [
            await http.post(ENRICHMENTS, json=person(1)),
            await http.post(ENRICHMENTS, json=person(2)),
            await http.get(f"{ENRICHMENTS}/none"),
            await http.get(CREDITS),
            await http.post(BATCH, json={}),
        ]
    assert [one.status_code for one in answers] == [201, 402, 404, 200, 400]
    assert {one.headers["enrichment-batch-limit"] for one in answers} == {"100"}
