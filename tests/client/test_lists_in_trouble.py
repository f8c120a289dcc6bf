"""Lists with strange input, a service that misbehaves, and other callers at the same time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from mcp_enrichment.client import lists
from mcp_enrichment.client.state.spending import CreditCap
from mcp_enrichment.client.submitter import Submission
from mcp_enrichment.contract.errors import CreditCapReached
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from tests.client.test_lists import rows_of, statuses
from tests.support.list_service import ListService, hit, miss
from tests.support.scripted_server import ScriptedServer, hangs, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio


async def test_a_credit_whose_lookup_cannot_be_read_holds_up_no_other_row(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    service = ListService()

    async def masks(stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.method == "GET":
            name = seen.path.rpartition("/")[2]
            email = {"email": "email_not_unlocked@example.com", "type": "work"}
            body = {"_id": name, "status": "completed", "email": email, "linkedin_url": hit(1)}
            await replies(200, body)(stream, seen)
        else:
            await service(stream, seen)

    vendor.always(masks)
    rows = await rows_of(client, [hit(1), hit(2)], max_credits=1)
    assert len(service.posted) == 1
    assert sorted(map(str, statuses(rows))) == ["budget_exceeded", "pending"]


async def test_the_credit_of_a_miss_that_an_earlier_run_has_begun_is_used(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    async with new_client() as first:
        await rows_of(first, [miss(1)], max_credits=1, list_id="mine", wait=0)
    service.end_all()
    async with new_client() as second:
        rows = await rows_of(second, [hit(1), miss(1)], max_credits=1, list_id="mine")
    assert statuses(rows) == ["completed", "not-found"]


async def test_without_a_wait_a_row_that_runs_already_keeps_no_other_row_from_its_credit(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(ListService(ends=1_000_000))
    await client.request(miss(0), "work")
    rows = await rows_of(client, map(miss, range(11)), max_credits=10, wait=0)
    assert statuses(rows) == ["pending"] * 11


async def test_the_cap_of_one_list_does_not_stop_another_caller(
    client: EnrichmentClient, service: ListService
) -> None:
    """Both want a new lookup of the same person at the same time."""
    body = EnrichmentRequest(linkedin_url=hit(1), type=EmailType.WORK)
    plain = Submission(body=body, refresh=False, may_spend=True)
    capped = plain._replace(cap=CreditCap(list_id="mine", max_credits=0))
    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_submit_capped, client, capped)
            await anyio.lowlevel.checkpoint()
            submitted = await client._submitter.submit(plain)
    assert submitted.result.id == "hit-1"


async def _submit_capped(client: EnrichmentClient, submission: Submission) -> None:
    with suppress(CreditCapReached):  # it joins the other one if that is saved first
        await client._submitter.submit(submission)


async def test_lists_of_two_accounts_with_one_name_have_a_cap_each(
    new_client: NewClient, service: ListService
) -> None:
    for number, key in enumerate(("k-one", "k-two")):
        async with new_client(api_key=key) as client:
            rows = await rows_of(client, [hit(number)], max_credits=1, list_id="mine")
        assert statuses(rows) == ["completed"]
    assert len(service.posted) == 2


async def test_each_profile_has_a_row_if_there_are_fewer_references(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(1), hit(2)], external_ids=["a"])
    assert [row.item.external_id for _, row in sorted(rows.items())] == ["a", None]
    assert statuses(rows) == ["completed", "completed"]


async def test_a_known_row_waits_out_a_429_and_is_no_error(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.client.READ_SECONDS", 0.0)
    vendor.always(ListService())
    await rows_of(client, [hit(1)], max_credits=1)
    vendor.will(replies(429, headers={"retry-after": "1"}))
    rows = await rows_of(client, [hit(1)], max_credits=1)
    assert statuses(rows) == ["completed"]


@pytest.mark.parametrize("cap", [None, 5])
async def test_a_429_that_lasts_for_a_day_is_the_error_of_a_row(
    client: EnrichmentClient, vendor: ScriptedServer, cap: int | None
) -> None:
    vendor.always(replies(429, headers={"retry-after": "86400"}))
    rows = await rows_of(client, [hit(1), hit(2)], max_credits=cap)
    assert statuses(rows) == ["rate_limited", "rate_limited"]


async def test_a_row_whose_request_is_under_way_at_the_end_may_have_cost_a_credit(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "SUBMIT_SECONDS", 0.2)
    vendor.always(hangs())
    rows = await rows_of(client, [hit(1)], wait=0)
    assert rows[0].error
    assert (rows[0].error.charged, rows[0].error.code) == (None, "service_unavailable")


async def test_a_lookup_whose_answer_a_source_may_have_charged_for_is_not_repeated(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    service = ListService()

    async def loses(stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.method == "GET":
            name = seen.path.rpartition("/")[2]
            body = {
                "_id": name,
                "status": "failed",
                "reason": "answer-lost",
                "linkedin_url": hit(1),
            }
            await replies(200, body)(stream, seen)
        else:
            await service(stream, seen)

    vendor.always(loses)
    for _ in range(2):
        rows = await rows_of(client, [hit(1)])
        assert statuses(rows) == ["failed"]
    assert len(service.posted) == 1
    await client.request(hit(1), "work", force_refresh=True)
    assert len(service.posted) == 2


async def test_a_generator_that_is_dropped_ends_its_run(
    client: EnrichmentClient, service: ListService
) -> None:
    async for _ in client.enrich_many((miss(number) for number in range(10_000)), "work"):
        break
    await anyio.wait_all_tasks_blocked()
    assert len(service.posted) <= 3 * lists.MAX_OPEN


async def test_a_list_of_one_person_alone_is_one_request(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(1)] * 100)
    assert statuses(rows) == ["completed"] * 100
    assert service.posted == ["hit-1"]


@pytest.mark.parametrize("strange", ["\ud800", "a\0b", "x" * 300, "\u202e" * 100])
async def test_strange_references_and_urls_stop_no_other_row(
    client: EnrichmentClient, service: ListService, strange: str
) -> None:
    rows = await rows_of(client, [hit(1), strange, hit(2)], external_ids=[strange, strange, "b"])
    assert statuses(rows)[1:] == ["invalid_profile_url", "completed"]
    assert (await client.preview_many([strange], "work")).invalid == 1
