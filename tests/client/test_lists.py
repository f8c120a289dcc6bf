"""A list of profiles: a row for each, nothing paid for twice, and never more than the cap."""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from mcp_enrichment.client import lists, post_sender
from mcp_enrichment.contract.errors import (
    CreditCapReached,
    InsufficientCredits,
    InvalidArguments,
    InvalidProfileURL,
    ServiceUnavailable,
    Unauthorized,
    UnknownEnrichment,
)
from tests.support.list_service import ListService, hit, miss
from tests.support.scripted_server import ScriptedServer, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.lists import ListRow
    from mcp_enrichment.contract.models import Status
    from tests.client.conftest import NewClient

pytestmark = pytest.mark.anyio


async def rows_of(
    client: EnrichmentClient, urls: Iterable[str], **options: Any
) -> dict[int, ListRow]:
    with anyio.fail_after(HANG):
        rows = [row async for row in client.enrich_many(urls, "work", **options)]
    assert len({row.index for row in rows}) == len(rows)
    return {row.index: row for row in rows}


def statuses(rows: dict[int, ListRow]) -> list[Status | str | None]:
    return [
        row.error.code if row.error else row.result and row.result.status
        for _, row in sorted(rows.items())
    ]


async def test_each_profile_gets_its_own_row_misses_and_invalid_ones_too(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(1), "not a profile", miss(1), hit(2)])
    assert statuses(rows) == ["completed", "invalid_profile_url", "not-found", "completed"]
    assert [row.result and row.result.email for _, row in sorted(rows.items())] == [
        "hit-1@example.com",
        None,
        None,
        "hit-2@example.com",
    ]
    assert isinstance(rows[1].error, InvalidProfileURL)
    assert rows[1].item.linkedin_url == "not a profile"


async def test_a_profile_that_stands_in_a_list_twice_is_requested_once(
    client: EnrichmentClient, service: ListService
) -> None:
    twice = hit(1).replace("https://www.", "http://uk.") + "/?trk=people"
    rows = await rows_of(client, [hit(1), twice, hit(1)], max_credits=1)
    assert statuses(rows) == ["completed"] * 3
    assert service.posted == ["hit-1"]
    charged = [row.result.credits_charged for row in rows.values() if row.result]
    assert sum(filter(None, charged)) == 1


async def test_the_same_list_again_costs_nothing(
    client: EnrichmentClient, service: ListService
) -> None:
    urls = [hit(1), miss(1), hit(2)]
    await rows_of(client, urls)
    again = await rows_of(client, urls, max_credits=0)
    assert statuses(again) == ["completed", "not-found", "completed"]
    assert len(service.posted) == len(urls)


async def test_external_ids_come_back_with_their_rows(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(1), miss(1)], external_ids=["a", None])
    assert [row.result and row.result.external_id for _, row in sorted(rows.items())] == ["a", None]


@pytest.mark.parametrize("cap", [0, 1, 3])
async def test_nothing_is_begun_that_could_pass_the_cap(
    client: EnrichmentClient, service: ListService, cap: int
) -> None:
    rows = await rows_of(client, [hit(number) for number in range(8)], max_credits=cap)
    assert service.most_held == cap
    assert statuses(rows).count("completed") == cap
    errors = [row.error for row in rows.values() if row.error]
    assert len(errors) == 8 - cap
    assert all(isinstance(error, CreditCapReached) for error in errors)


async def test_a_refused_row_keeps_nothing_of_the_rows_before_it(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(number) for number in range(200)], max_credits=0)
    errors = [row.error for row in rows.values() if row.error]
    assert len(errors) == 200
    assert max(len(list(walk_tb(error.__traceback__))) for error in errors) < 20


async def test_a_credit_of_a_miss_is_used_for_another_row(
    client: EnrichmentClient, service: ListService
) -> None:
    urls = [*(miss(number) for number in range(12)), *(hit(number) for number in range(12))]
    rows = await rows_of(client, urls, max_credits=2)
    assert service.most_held == 2
    assert service.charged == 2
    assert statuses(rows).count("completed") == 2


async def test_runs_of_one_list_share_its_cap_also_after_a_restart(
    new_client: NewClient, service: ListService
) -> None:
    async with new_client() as first:
        await rows_of(first, [hit(1), miss(1)], max_credits=2, list_id="mine")
    async with new_client() as second:
        urls = [hit(number) for number in range(4)]
        rows = await rows_of(second, urls, max_credits=2, list_id="mine")
    assert service.charged == 2
    assert statuses(rows).count("completed") == 2


async def test_two_processes_that_work_on_one_list_do_not_pass_its_cap_together(
    new_client: NewClient, service: ListService
) -> None:
    async with new_client() as one, new_client() as other, anyio.create_task_group() as tasks:
        for client, start in ((one, 0), (other, 50)):
            urls = [hit(start + number) for number in range(20)]
            tasks.start_soon(lambda c=client, u=urls: rows_of(c, u, max_credits=7, list_id="mine"))
    assert service.charged == 7


async def test_a_list_uses_the_free_credits_and_waits_for_those_that_misses_give_back(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(service := ListService(credits_left=3))
    urls = [*(miss(number) for number in range(9)), *(hit(number) for number in range(9))]
    rows = await rows_of(client, urls)
    assert service.charged == 3
    assert statuses(rows).count("completed") == 3
    errors = [row.error for row in rows.values() if row.error]
    assert {type(error) for error in errors} <= {InsufficientCredits}


async def test_a_list_is_read_as_its_rows_are_begun(
    client: EnrichmentClient, service: ListService
) -> None:
    taken = 0

    def many() -> Iterator[str]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield miss(number)

    rows = client.enrich_many(many(), "work")
    async for _ in rows:
        break
    await rows.aclose()
    assert taken <= 2 * lists.MAX_OPEN


async def test_at_the_deadline_each_row_has_its_state_and_its_id(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(ListService(ends=1_000_000))
    rows = await rows_of(client, [hit(1), hit(2), hit(3)], max_credits=2, wait=0.3)
    results = [row.result for row in rows.values() if row.result]
    assert len(results) == 2
    assert all(not result.is_final and result.id for result in results)
    [left] = [row for row in rows.values() if not row.result]
    assert left.error is None


async def test_a_service_that_is_down_ends_the_list_with_its_error(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MAX_FAILURES", 5)
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.05)
    vendor.always(replies(503))
    with pytest.raises(ServiceUnavailable):
        await rows_of(client, (hit(number) for number in range(10_000)))


async def test_a_refused_key_ends_the_list_at_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(replies(401))
    with pytest.raises(Unauthorized):
        await rows_of(client, (hit(number) for number in range(10_000)))


async def test_an_error_of_the_iterable_reaches_the_caller_and_the_client_lives_on(
    client: EnrichmentClient, service: ListService
) -> None:
    def breaks() -> Iterator[str]:
        yield hit(1)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        await rows_of(client, breaks())
    assert statuses(await rows_of(client, [hit(1)])) == ["completed"]


async def test_a_post_of_unknown_outcome_counts_against_the_cap_and_is_not_sent_again(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(resets())
    rows = await rows_of(client, [hit(1)], max_credits=1, list_id="mine")
    assert statuses(rows) == ["outcome_unknown"]
    vendor.always(service := ListService())
    rows = await rows_of(client, [hit(1), hit(2)], max_credits=1, list_id="mine")
    assert statuses(rows) == ["outcome_unknown", "budget_exceeded"]
    assert service.posted == []


async def test_wrong_arguments_of_a_list_are_refused_before_anything_is_sent(
    client: EnrichmentClient, service: ListService
) -> None:
    for wrong in ({"type": "home"}, {"type": "work", "max_credits": -1}):
        with pytest.raises(InvalidArguments):
            _ = [row async for row in client.enrich_many([hit(1)], **wrong)]
    assert service.posted == []


async def test_a_preview_counts_what_a_list_would_do_and_sends_nothing(
    client: EnrichmentClient, service: ListService, vendor: ScriptedServer
) -> None:
    await rows_of(client, [hit(1), miss(1)])
    running = await client.request(hit(2), "work")
    assert not running.is_final
    before = len(vendor.seen)
    urls = [hit(1), hit(1), miss(1), hit(2), hit(3), "nothing", miss(4)]
    found = await client.preview_many(urls, "work")
    assert (found.total, found.known, found.running, found.new) == (7, 2, 1, 2)
    assert (found.duplicates, found.invalid, found.unknown) == (1, 1, 0)
    assert len(vendor.seen) == before


async def test_a_saved_list_is_read_by_its_account_alone_and_is_not_readable_in_the_file(
    client: EnrichmentClient, new_client: NewClient, memory: Path
) -> None:
    list_id = await client.save_list("ada and grace")
    assert await client.read_list(list_id) == "ada and grace"
    assert not any(b"grace" in path.read_bytes() for path in memory.parent.iterdir())
    async with new_client(api_key="another") as stranger:
        with pytest.raises(UnknownEnrichment):
            await stranger.read_list(list_id)


async def test_without_a_wait_every_row_is_submitted_and_comes_back_with_its_id(
    client: EnrichmentClient, service: ListService
) -> None:
    rows = await rows_of(client, [hit(number) for number in range(40)], wait=0)
    assert [row.result and row.result.id for _, row in sorted(rows.items())] == [
        f"hit-{number}" for number in range(40)
    ]
