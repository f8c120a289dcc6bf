"""A list at a service that takes batches: few POSTs, few commits, and the promises about money of
single POSTs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import post_sender
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT
from mcp_enrichment.client.state.spending import Budget
from mcp_enrichment.contract.errors import (
    BudgetExceeded,
    InsufficientCredits,
    InvalidProfileURL,
    OutcomeUnknown,
    ServiceUnavailable,
)
from mcp_enrichment.contract.http import BATCH, CREDITS
from tests.client.test_lists import rows_of, statuses
from tests.support.list_service import ListService, hit, miss
from tests.support.scripted_server import replies, resets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import Behaviour, ReceivedRequest, ScriptedServer

pytestmark = pytest.mark.anyio
LIMIT = {"enrichment-batch-limit": "100"}


@pytest.fixture
def service(vendor: ScriptedServer) -> ListService:
    """A service that takes batches."""
    vendor.always(service := ListService(batch_limit=100))
    return service


@pytest.fixture
async def client(new_client: NewClient, service: ListService) -> AsyncIterator[EnrichmentClient]:
    """A client that has called the service before."""
    async with new_client(supports_idempotency=True) as client:
        await client.request(miss(0), "work")
        yield client
        assert len(service.posted) == len(set(service.posted)), "nobody is requested twice"


@pytest.fixture
def commits(client: EnrichmentClient, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The transactions of the state file from now on."""
    begun: list[object] = []
    file = client._store._file
    write = file._write
    monkeypatch.setattr(file, "_write", lambda work: begun.append(work) or write(work))
    return begun


def hits(count: int) -> list[str]:
    return [hit(number) for number in range(count)]


def answers_batches(behaviour: Behaviour, service: ListService, times: int = 1) -> Behaviour:
    """The first batches get this answer, and everything else that of the service."""
    left = times

    async def behave(stream: SocketStream, seen: ReceivedRequest) -> None:
        nonlocal left
        left -= seen.path == BATCH
        answer = behaviour if seen.path == BATCH and left >= 0 else service
        await answer(stream, seen)

    return behave


async def test_a_hundred_rows_are_one_post_and_two_commits(
    client: EnrichmentClient, service: ListService, commits: list[object]
) -> None:
    await client.request(miss(1), "work")
    commits.clear()
    rows = await rows_of(client, hits(100), wait=0)
    assert [row.result and row.result.id for _, row in sorted(rows.items())] == [
        f"hit-{number}" for number in range(100)
    ]
    assert service.batches == [100]
    assert len(commits) == 2, "one before the POST, and one for all ids"


async def test_rows_beyond_the_budget_share_the_commit_of_the_others(
    client: EnrichmentClient,
    service: ListService,
    commits: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client._submitter, "_budget", Budget(daily=42))
    await client.request(miss(1), "work")
    commits.clear()
    rows = await rows_of(client, hits(100), wait=0)
    assert len([row for row in rows.values() if row.result]) == 40
    assert service.batches == [40]
    assert len(commits) == 2
    rows = await rows_of(client, hits(100))
    assert statuses(rows).count("completed") == 40
    assert {type(row.error) for row in rows.values() if row.error} == {BudgetExceeded}


async def test_rows_that_begin_together_read_the_balance_once_and_keep_the_reserve(
    client: EnrichmentClient,
    service: ListService,
    vendor: ScriptedServer,
    commits: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client._submitter, "_budget", Budget(reserve=930))
    await client.request(miss(1), "work")
    commits.clear()
    before = len(vendor.seen)
    rows = await rows_of(client, hits(100), wait=0)
    # Two of the 1,000 credits are held for the requests before.
    assert len([row for row in rows.values() if row.result]) == 68
    assert service.batches == [68]
    assert len(commits) == 2
    paths = [seen.path for seen in vendor.seen[before:]]
    assert paths.count(CREDITS) < 5, "refused rows read it again"


async def test_each_row_of_a_batch_gets_its_own_answer(
    client: EnrichmentClient, service: ListService
) -> None:
    urls = [hit(1), "nobody", miss(2), hit(1), hit(3)]
    rows = await rows_of(client, urls)
    assert statuses(rows) == [
        "completed",
        "invalid_profile_url",
        "not-found",
        "completed",
        "completed",
    ]
    assert isinstance(rows[1].error, InvalidProfileURL)
    assert service.batches == [3]
    charged = [row.result.credits_charged for row in rows.values() if row.result]
    assert sum(filter(None, charged)) == 2


async def test_rows_of_a_batch_that_no_credit_is_left_for_are_refused_and_the_others_go_on(
    client: EnrichmentClient, service: ListService
) -> None:
    service.credits_left = 6  # one is held for the request before
    rows = await rows_of(client, hits(12))
    assert statuses(rows).count("completed") == 5
    errors = [row.error for row in rows.values() if row.error]
    assert {type(error) for error in errors} == {InsufficientCredits}
    assert service.charged == 5


async def test_a_cap_holds_with_batches(client: EnrichmentClient, service: ListService) -> None:
    rows = await rows_of(client, [*map(miss, range(1, 20)), *hits(20)], max_credits=7)
    assert statuses(rows).count("completed") == 7
    assert service.charged == 7


async def test_requests_of_a_batch_with_a_lost_answer_are_found_by_their_keys(
    client: EnrichmentClient, service: ListService, vendor: ScriptedServer
) -> None:
    async def accepts_and_resets(stream: SocketStream, seen: ReceivedRequest) -> None:
        await service(_Unread(), seen)
        await resets()(stream, seen)

    vendor.always(answers_batches(accepts_and_resets, service))
    rows = await rows_of(client, hits(30))
    assert statuses(rows) == ["completed"] * 30
    assert sorted(service.posted[1:]) == sorted(f"hit-{number}" for number in range(30))
    keys = [key for seen in vendor.posts[1:] for key in _keys(seen)]
    assert len(set(keys)) == 30 < len(keys)


async def test_answers_that_stay_lost_leave_each_row_unknown_and_the_next_run_settles_them(
    client: EnrichmentClient,
    service: ListService,
    vendor: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.05)
    vendor.always(resets())
    rows = await rows_of(client, hits(30), max_credits=30, list_id="mine")
    assert {type(row.error) for row in rows.values()} == {OutcomeUnknown}
    vendor.always(service)
    rows = await rows_of(client, hits(30), max_credits=30, list_id="mine")
    assert statuses(rows) == ["completed"] * 30, "they count already, and are joined by their keys"
    assert sum(service.batches) >= 30


async def test_results_in_another_order_give_nobody_the_email_of_another(
    client: EnrichmentClient, service: ListService, vendor: ScriptedServer
) -> None:
    async def shuffles(stream: SocketStream, seen: ReceivedRequest) -> None:
        asked = reversed(seen.json["requests"])
        bodies = [service._accept(one["linkedin_url"], one["idempotency_key"]) for one in asked]
        results = [{"status": 201, "enrichment": body} for body in bodies]
        await replies(200, {"results": results})(stream, seen)

    vendor.always(answers_batches(shuffles, service, times=100))
    rows = await rows_of(client, hits(30))
    emails = [row.result and row.result.email for _, row in sorted(rows.items())]
    assert emails == [f"hit-{number}@example.com" for number in range(30)]


@pytest.mark.parametrize("status", [404, 405, 413, 400, 410])
async def test_a_service_that_refuses_a_batch_gets_each_request_alone(
    client: EnrichmentClient, service: ListService, vendor: ScriptedServer, status: int
) -> None:
    vendor.always(answers_batches(replies(status, headers=LIMIT), service, times=100))
    rows = await rows_of(client, hits(30))
    assert statuses(rows) == ["completed"] * 30
    await rows_of(client, [miss(number) for number in range(1, 30)])
    tried = [seen for seen in vendor.posts if seen.path == BATCH]
    assert len(tried) == 1, "no other batch is tried"


async def test_a_service_that_honours_no_keys_gets_no_batch(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    """A lost answer would leave the outcome of many unknown."""
    service = ListService()

    async def says_so(stream: SocketStream, seen: ReceivedRequest) -> None:
        await service(_WithHeaders(stream, LIMIT), seen)

    vendor.always(says_so)
    async with new_client() as client:
        await client.credits()
        assert client._api.batch_limit == 100
        assert statuses(await rows_of(client, hits(30))) == ["completed"] * 30
    assert BATCH not in {seen.path for seen in vendor.posts}


async def test_a_429_to_a_batch_is_waited_out_once_for_all_rows(
    client: EnrichmentClient, service: ListService, vendor: ScriptedServer
) -> None:
    said = replies(429, headers={"retry-after": "1"})
    vendor.always(answers_batches(said, service))
    rows = await rows_of(client, hits(30))
    assert statuses(rows) == ["completed"] * 30
    assert [seen.path for seen in vendor.posts[1:3]] == [BATCH, BATCH]


RESULTS: dict[str, Any] = {
    "no results": {},
    "one too few": {"results": []},
    "no results at all": {"results": [{}] * 10},
    "an accepted one without its id": {"results": [{"status": 201}] * 10},
    "an id that is none": {"results": [{"status": 201, "enrichment": {"_id": "/../"}}] * 10},
    "a server error": {"results": [{"status": 500}] * 10},
}


@pytest.mark.parametrize("what", RESULTS)
async def test_results_that_say_nothing_leave_an_unknown_outcome_that_counts(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.05)
    vendor.always(junk(RESULTS[what]))
    rows = await rows_of(client, hits(10), max_credits=10, list_id="mine")
    assert {type(row.error) for row in rows.values()} == {OutcomeUnknown}
    assert await client._store.list_credits("mine") == 10


def junk(body: Any) -> Behaviour:
    """This answer to each batch; a single POST is cut off."""

    async def behave(stream: SocketStream, seen: ReceivedRequest) -> None:
        await (replies(200, body) if seen.path == BATCH else resets())(stream, seen)

    return behave


async def test_errors_of_single_rows_are_those_of_a_post_of_their_own(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.0)
    errors = [
        {"status": 400, "error": {"code": "invalid_profile_url", "message": "<secret>"}},
        {"status": 503, "error": {"code": "service_unavailable", "message": "<secret>"}},
    ]
    vendor.will(replies(200, {"results": errors}))
    rows = await rows_of(client, hits(2), max_credits=2, list_id="mine")
    assert {type(row.error) for row in rows.values()} == {InvalidProfileURL, ServiceUnavailable}
    assert not any("<secret>" in str(row.error) for row in rows.values())
    assert await client._store.list_credits("mine") == 0, "nothing was started"


@pytest.mark.parametrize("limit", ["", "0", "-3", "x", "9" * 5000, "1e9", "٣"])
async def test_a_limit_that_is_no_number_of_ours_does_no_harm(
    new_client: NewClient, vendor: ScriptedServer, limit: str
) -> None:
    sent = limit.encode().decode("latin-1")
    vendor.always(replies(200, {"balance": 1}, {"enrichment-batch-limit": sent}))
    async with new_client() as client:
        await client.credits()
        assert client._api.batch_limit in (0, 100)


async def test_a_list_of_a_new_client_begins_with_single_posts_and_goes_on_with_batches(
    new_client: NewClient, service: ListService, vendor: ScriptedServer
) -> None:
    async with new_client() as client:
        assert statuses(await rows_of(client, hits(100))) == ["completed"] * 100
    assert service.batches, "the answer to a single POST says that it takes them"
    assert len(vendor.posts) <= 4 * MAX_IN_FLIGHT


def _keys(seen: ReceivedRequest) -> list[str]:
    if seen.path != BATCH:
        return [seen.headers["idempotency-key"]]
    return [one["idempotency_key"] for one in json.loads(seen.body)["requests"]]


class _Unread:
    """A connection whose answer is lost."""

    async def send(self, _data: bytes) -> None:
        await anyio.lowlevel.checkpoint()


class _WithHeaders:
    """A connection whose answers get headers."""

    def __init__(self, stream: SocketStream, headers: dict[str, str]) -> None:
        self._stream = stream
        self._lines = "".join(f"\r\n{name}: {value}" for name, value in headers.items())

    async def send(self, data: bytes) -> None:
        status, rest = data.split(b"\r\n", 1)
        await self._stream.send(status + self._lines.encode() + b"\r\n" + rest)
