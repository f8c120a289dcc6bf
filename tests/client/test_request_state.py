"""The same request is never paid for twice."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import http_api, post_sender
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.errors import (
    InsufficientCredits,
    ServiceUnavailable,
    UnknownEnrichment,
    UnusableAddress,
)
from mcp_enrichment.contract.models import EmailType, Status
from tests.support.contract_server import (
    ADDRESS,
    HTML,
    PROFILE,
    ContractServer,
    accepts,
    enrichment,
    found,
    missed,
)
from tests.support.running_service import until
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.client.conftest import NewClient

pytestmark = pytest.mark.anyio

FAILED = enrichment(status="failed")


async def _ask(client: EnrichmentClient, **options: object) -> EnrichmentResult:
    with anyio.fail_after(HANG):
        return await client.request(PROFILE, EmailType.WORK, **options)  # type: ignore[arg-type]


async def _request_until_final(
    client: EnrichmentClient, lookups: ContractServer, end: object
) -> None:
    await _ask(client)
    lookups.end(end)  # type: ignore[arg-type]
    await client.wait(["e1"], HANG)


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The transactions that change the state file from now on."""
    begun: list[Any] = []
    run = SQLiteFile.run

    async def noted(file: SQLiteFile, work: Any) -> Any:
        begun.append(work)
        return await run(file, work)

    monkeypatch.setattr(SQLiteFile, "run", noted)
    return begun


@pytest.fixture
def lookups(vendor: ScriptedServer) -> ContractServer:
    lookups = ContractServer()
    vendor.always(lookups)
    return lookups


@pytest.mark.parametrize(("end", "spent"), [(found(), 1), (missed(), 0)])
async def test_a_lookup_that_ends_while_its_post_is_held_takes_one_call_and_two_commits(
    new_client: NewClient,
    vendor: ScriptedServer,
    transactions: list[Any],
    end: dict[str, Any],
    spent: int,
) -> None:
    vendor.will(replies(201, end, {"idempotent-replayed": "false"}))
    async with new_client(supports_idempotency=True) as client:
        await client._store.mark_idempotent()  # it creates the file
        transactions.clear()
        answer = await _ask(client, wait=HANG)
        assert (answer.status, answer.reused) == (end["status"], False)
        assert len(transactions) == 2
        [record] = await client._store.newest(2)
        assert (record.enrichment_id, record.status) == ("e1", end["status"])
        assert await client._store.spent_today() == spent
    assert vendor.seen[0].headers["prefer"] == "wait=1"


@pytest.mark.parametrize(
    ("options", "wait"), [({"supports_idempotency": False}, HANG), ({}, 0), ({}, 1)]
)
async def test_a_post_is_held_only_if_it_can_be_repeated_and_its_caller_waits_longer(
    new_client: NewClient, vendor: ScriptedServer, options: dict[str, Any], wait: float
) -> None:
    vendor.will(accepts())
    vendor.always(replies(200, found()))
    async with new_client(**{"supports_idempotency": True} | options) as client:
        await _ask(client, wait=wait)
    assert "prefer" not in vendor.posts[0].headers


async def test_a_post_is_not_held_while_all_connections_that_can_be_spared_are(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.always(service := ContractServer(supports_idempotency=True, holds=True))
    async with new_client(supports_idempotency=True) as client, anyio.create_task_group() as tasks:
        for number in range(http_api.MAX_HOLDS):
            tasks.start_soon(client.wait, [f"other-{number}"], HANG)
        await until(lambda: service._in_flight == http_api.MAX_HOLDS)
        tasks.start_soon(partial(_ask, client, wait=HANG))
        await until(lambda: len(vendor.posts) == 1)
        tasks.cancel_scope.cancel()
    assert "prefer" not in vendor.posts[0].headers


async def test_an_unusable_address_in_the_response_to_a_post_is_not_saved_as_an_outcome(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(201, found() | {"email": "email_not_unlocked@example.com"}))
    async with new_client() as client:
        with pytest.raises(UnusableAddress):
            await _ask(client)
        [record] = await client._store.newest(2)
    assert (record.enrichment_id, record.status) == ("e1", None)


async def test_a_request_that_runs_is_joined(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    began = time.time()
    first, again = await _ask(client), await _ask(client)
    refreshed = await _ask(client, force_refresh=True)
    assert first.id == again.id == refreshed.id == "e1"
    assert (first.reused, again.reused, refreshed.reused) == (False, True, True)
    assert again.asked_at == first.asked_at
    assert began <= (first.asked_at or 0) <= time.time()
    assert len(vendor.posts) == 1


async def test_a_hit_is_read_again_by_its_id_and_not_charged_again(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await _request_until_final(client, lookups, found())
    answer = await _ask(client)
    assert (answer.id, answer.email, answer.type) == ("e1", ADDRESS, EmailType.WORK)
    assert (answer.reused, answer.credits_charged) == (True, 0)
    assert len(vendor.posts) == 1
    assert vendor.seen[-1].method == "GET"


async def test_every_spelling_of_a_profile_is_the_same_request(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    for url in ("linkedin.com/in/ada", "https://de.linkedin.com/in/ADA/?trk=x", f" {PROFILE}/ "):
        assert (await client.request(url, EmailType.WORK)).id == "e1"
    assert len(vendor.posts) == 1


async def test_another_type_or_person_or_account_is_another_request(
    new_client: NewClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    async with new_client() as client, new_client(api_key="k-other") as other:
        asked = [
            await client.request(PROFILE, EmailType.WORK),
            await client.request(PROFILE, EmailType.PERSONAL),
            await client.request("linkedin.com/in/grace", EmailType.WORK),
            await other.request(PROFILE, EmailType.WORK),
        ]
    assert [answer.id for answer in asked] == ["e1", "e2", "e3", "e4"]
    assert not any(answer.reused for answer in asked)


@pytest.mark.parametrize(
    ("end", "refresh", "posts"),
    [
        (found(), False, 1),
        (found(), True, 2),
        (missed(), False, 1),
        (missed(), True, 2),
        (FAILED, False, 2),
        (FAILED, True, 2),
    ],
    ids=lambda value: value["status"] if isinstance(value, dict) else str(value),
)
async def test_a_final_request_is_repeated_only_if_that_may_help_or_is_forced(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    lookups: ContractServer,
    *,
    end: dict[str, object],
    refresh: bool,
    posts: int,
) -> None:
    await _request_until_final(client, lookups, end)
    answer = await _ask(client, force_refresh=refresh)
    assert len(vendor.posts) == posts
    assert (answer.id, answer.reused) == (f"e{posts}", posts == 1)
    assert len({post.headers["idempotency-key"] for post in vendor.posts}) == posts


async def test_an_outcome_that_nobody_polled_is_found_by_the_next_request(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await _ask(client)
    lookups.end(FAILED)
    assert (await _ask(client)).id == "e2"
    lookups.end(found("e2"))
    assert (await _ask(client)).email == ADDRESS
    assert (await _ask(client, force_refresh=True)).id == "e3"
    assert len(vendor.posts) == 3


@pytest.mark.parametrize(("keep_misses", "posts"), [(3600, 1), (0.2, 2), (0, 2)])
async def test_a_miss_is_kept_for_as_long_as_it_is_set(
    new_client: NewClient,
    vendor: ScriptedServer,
    lookups: ContractServer,
    keep_misses: float,
    posts: int,
) -> None:
    async with new_client(keep_misses=keep_misses) as client:
        await _request_until_final(client, lookups, missed())
        await anyio.sleep(0.25)  # lets 0.2 seconds pass
        answer = await _ask(client)
    assert answer.status is (Status.NOT_FOUND if posts == 1 else Status.PENDING)
    assert len(vendor.posts) == posts


@pytest.mark.parametrize(("keep", "posts"), [(3600, 1), (0.2, 2)])
async def test_a_question_is_remembered_for_as_long_as_it_is_set(
    new_client: NewClient, vendor: ScriptedServer, lookups: ContractServer, keep: float, posts: int
) -> None:
    async with new_client(keep=keep) as client:
        await _request_until_final(client, lookups, found())
        await anyio.sleep(0.25)  # lets 0.2 seconds pass
        answer = await _ask(client)
    assert answer.reused is (posts == 1)
    assert len(vendor.posts) == posts


@pytest.mark.parametrize(
    ("status", "kind"), [(402, InsufficientCredits), (503, ServiceUnavailable)]
)
async def test_a_refused_refresh_leaves_the_earlier_answer(
    new_client: NewClient,
    vendor: ScriptedServer,
    lookups: ContractServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    kind: type[Exception],
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.5)
    async with new_client() as client:
        await _request_until_final(client, lookups, found())
        vendor.always(replies(status, HTML))
        with pytest.raises(kind):
            await _ask(client, force_refresh=True)
        vendor.always(lookups)
        answer = await _ask(client)
    assert (answer.id, answer.email, answer.reused) == ("e1", ADDRESS, True)


async def test_a_server_that_lags_behind_itself_has_not_forgotten(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await _request_until_final(client, lookups, found())
    vendor.will(replies(404, HTML))
    with pytest.raises(ServiceUnavailable):
        await _ask(client)
    assert (await _ask(client)).reused
    assert len(vendor.posts) == 1


async def test_a_hit_that_the_server_calls_failed_later_is_not_paid_for_again(
    client: EnrichmentClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    await _request_until_final(client, lookups, found())
    vendor.will(replies(200, {"_id": "e1", "status": "failed", "linkedin_url": PROFILE}))
    assert (await _ask(client)).reused
    assert len(vendor.posts) == 1


async def test_an_id_that_the_server_has_forgotten_is_reported_and_the_next_request_is_new(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    lookups: ContractServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.submitter.REPLICATION_LAG_SECONDS", 0)
    await _request_until_final(client, lookups, found())
    vendor.will(replies(404, HTML))
    with pytest.raises(UnknownEnrichment, match="no longer knows"):
        await _ask(client)
    assert len(vendor.posts) == 1
    answer = await _ask(client)
    assert (answer.id, answer.reused) == ("e2", False)


async def test_a_server_that_is_down_does_not_make_a_hit_be_paid_for_again(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    lookups: ContractServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.client.READ_SECONDS", 0.5)
    await _request_until_final(client, lookups, found())
    vendor.always(replies(503, HTML))
    with pytest.raises(ServiceUnavailable):
        await _ask(client)
    assert len(vendor.posts) == 1


async def test_a_lookup_outlives_the_client_that_requested_it(
    new_client: NewClient, vendor: ScriptedServer, lookups: ContractServer
) -> None:
    async with new_client() as client:
        await _ask(client)
    lookups.end(found())
    async with new_client() as client:
        answer = await _ask(client)
    assert (answer.email, answer.reused) == (ADDRESS, True)
    assert len(vendor.posts) == 1


async def test_an_id_of_another_user_is_read_without_the_memory(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, found("other")), accepts())
    assert (await client.get("other")).email == ADDRESS
    assert (await _ask(client)).id == "e1"


async def test_a_new_request_is_saved_three_times_and_the_same_one_again_is_only_read(
    new_client: NewClient, lookups: ContractServer, transactions: list[Any]
) -> None:
    lookups.end(found())
    async with new_client(supports_idempotency=True) as client:
        await client.wait([], 0)  # this reads what is needed once
        transactions.clear()
        assert (await _ask(client, wait=HANG)).email == ADDRESS
        assert len(transactions) == 3, "before the POST, after it, and at the end"
        transactions.clear()
        assert (await _ask(client, wait=HANG)).reused
        assert not transactions
