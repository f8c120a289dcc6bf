"""A malformed batch is refused whole, within limits, and without repeating its input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import MAX_BATCH
from mcp_enrichment.service.http.parsing import MAX_BATCH_BODY
from mcp_enrichment.service.http.rate_limit import RateLimit
from tests.support.batches import balance, person, team
from tests.support.keyed_client import keyed_client
from tests.support.running_service import Clock, running_service

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
SECRET = "zelda-zyx"
"""Part of the input; it must not be in an answer."""
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
