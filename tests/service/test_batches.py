"""Several requests in one POST: each has its own result, and a repeat of all or of one of them
starts nothing again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.contract.errors import InsufficientCredits, StorageFailed, StorageFault
from mcp_enrichment.contract.http import BATCH, ENRICHMENTS
from mcp_enrichment.contract.models import MAX_BATCH
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.requests import batch_submission
from tests.support.batches import balance, final, ids, person, post, statuses, team
from tests.support.commit_proxy import commit_proxy
from tests.support.keyed_client import keyed_client
from tests.support.running_service import (
    HIT,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place
    from tests.support.postgres import Server

pytestmark = pytest.mark.anyio
SECRET = "zelda-zyx"
"""Part of the input; it must not be in an answer."""


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


async def test_a_full_batch_of_one_profile_without_a_credit_is_refused_at_the_second_look(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_service(place, jobs=False) as it, team(it, credits=0) as http:
        write, looks = it.service.database.write, list[object]()
        monkeypatch.setattr(
            it.service.database, "write", lambda work: looks.append(work) or write(work)
        )
        assert statuses(await post(http, *[person(1)] * MAX_BATCH)) == [402] * MAX_BATCH
        assert len(looks) == 2


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


@pytest.mark.parametrize("arrives", [True, False])
async def test_the_repeat_of_a_batch_settles_a_commit_whose_outcome_is_unknown(
    server: Server, url: str, *, arrives: bool
) -> None:
    async with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        async with (
            running_service(through, jobs=False) as it,
            keyed_client(it, it.key) as http,
        ):
            asked = [person(number, idempotency_key=f"k{number}") for number in range(3)]
            proxy.arrives, proxy.cuts = arrives, 1
            unknown = await http.post(BATCH, json={"requests": asked})
            assert unknown.status_code == 500
            assert unknown.json()["error"]["code"] == "outcome_unknown"
            again = await post(http, *asked)
            assert [one["idempotent_replayed"] for one in again] == [arrives] * 3
            assert await balance(http) == 7
    ledger_is_exact(url)


@pytest.mark.parametrize("answers_arrive", [True, False])
async def test_a_list_of_our_client_is_paid_for_once_also_if_answers_are_lost(
    place: Place, tmp_path: Path, answers_arrive: bool
) -> None:
    async with running_service(place, FixedSource(HIT), credits=150) as it:
        transport = _LossyTransport(create_app(it.service), 0 if answers_arrive else 2)
        async with EnrichmentClient(
            "http://it",
            api_key=it.key,
            memory=tmp_path / "memory.db",
            transport=transport,
            supports_idempotency=True,
        ) as client:
            await client.credits()  # its answer says that the service takes batches
            urls = [person(number)["linkedin_url"] for number in range(160)]
            rows = [row async for row in client.enrich_many(urls, "work")]
        found = [row for row in rows if row.result and row.result.email]
        refused = [row for row in rows if isinstance(row.error, InsufficientCredits)]
        assert (len(found), len(refused)) == (150, 10)
        assert it.rows("SELECT count(*) FROM requests") == [(150,)]
        assert transport.batches
    ledger_is_exact(place)


class _LossyTransport(httpx.ASGITransport):
    """Loses the answers to the first batches."""

    def __init__(self, app: Any, losses: int) -> None:
        super().__init__(app)
        self.batches = 0
        self._losses = losses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.batches += request.url.path == BATCH
        if request.url.path == BATCH and self.batches <= self._losses:
            raise httpx.ReadError("the connection was reset")
        return response
