"""The tool for a list: one row each, a free preview, a cap, and one id for the rows that run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.price import CreditPrice
from mcp_enrichment.mcp import runner
from mcp_enrichment.settings.types import Confirm
from tests.mcp.faces import ADA, JONAS, NOBODY, data_of, error_of, face
from tests.mcp.test_elicitation import Person
from tests.mcp.test_embedded import import_sample
from tests.support.list_service import ListService, hit, miss
from tests.support.scripted_server import hangs, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream
    from mcp import Client

    from mcp_enrichment.settings import Settings
    from tests.mcp.task_client import TaskClient
    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

pytestmark = pytest.mark.anyio

LIST = "request_email_enrichments"
WAIT = "wait_for_enrichment"


@pytest.fixture
def service(vendor: ScriptedServer) -> ListService:
    vendor.always(service := ListService())
    return service


def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table as objects."""
    pairs = (itertools.zip_longest(table["columns"], row) for row in table["rows"])
    return [dict(pair) for pair in pairs]


async def test_each_person_gets_a_row_in_the_order_given(
    embedded: Settings, assistant: Client
) -> None:
    import_sample(embedded)
    urls = [NOBODY, ADA, "https://www.linkedin.com/company/example", ADA]
    table = data_of(await assistant.call_tool(LIST, {"linkedin_urls": urls, "type": "work"}))
    nobody, ada, company, again = rows_of(table)
    assert (nobody["status"], nobody["email"]) == ("not-found", None)
    assert nobody["linkedin_url"] == NOBODY.removeprefix("https://www.")
    assert (ada["status"], ada["email"]) == ("completed", "ada.okafor@example.com")
    assert (ada["source"], ada["verification"], ada["credits_charged"]) == (
        "contacts",
        "own-data",
        1,
    )
    assert company["status"] == "invalid"
    assert "not that of a person" in company["reason"]
    assert (again["email"], again["reused"], again["credits_charged"]) == (ada["email"], True, 0)
    summary = table["summary"]
    assert (summary["completed"], summary["not_found"], summary["invalid"]) == (2, 1, 1)
    assert (summary["reused"], summary["credits_charged"], summary["open"]) == (1, 1, 0)
    assert summary["credits_left"] == 249
    assert (table["all_final"], table["list_id"]) == (True, None)
    assert "construct" in table["next_step"]


async def test_a_preview_is_free_and_says_what_the_list_can_cost(
    buyer: Client, vendor: ScriptedServer, service: ListService
) -> None:
    known = {"linkedin_urls": [hit(1), miss(1)], "type": "work"}
    data_of(await buyer.call_tool(LIST, known))
    before = len(vendor.seen)
    urls = [hit(1), miss(1), hit(2), hit(2), hit(3), "nobody"]
    arguments = {"linkedin_urls": urls, "type": "work", "preview": True}
    table = data_of(await buyer.call_tool(LIST, arguments))
    assert table["preview"] == {
        "known": 2,
        "running": 0,
        "new": 2,
        "duplicates": 1,
        "invalid": 1,
        "unknown": 0,
        "max_credits": 2,
        "max_cost": None,
    }
    assert table["rows"] == []
    assert len(vendor.seen) == before
    capped = data_of(await buyer.call_tool(LIST, arguments | {"max_credits": 1}))
    assert capped["preview"]["max_credits"] == 1


async def test_nothing_is_begun_that_could_pass_max_credits(
    buyer: Client, service: ListService
) -> None:
    urls = [hit(number) for number in range(6)]
    arguments = {"linkedin_urls": urls, "type": "work", "max_credits": 2}
    table = data_of(await buyer.call_tool(LIST, arguments))
    assert service.most_held == 2
    assert table["summary"]["completed"] == table["summary"]["credits_charged"] == 2
    assert table["summary"]["not_requested"] == 4
    refused = [row for row in rows_of(table) if row["status"] == "not-requested"]
    assert {row["reason"] for row in refused} == {"budget_exceeded"}
    assert "not requested" in table["next_step"]


@pytest.mark.usefixtures("waits_from_first_read")
async def test_rows_that_run_are_waited_for_by_the_id_of_the_list(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    urls = [hit(1), "nobody", miss(2), hit(3)]
    references = ["one", 2, None, "four"]
    arguments = {"linkedin_urls": urls, "type": "work", "external_ids": references}
    table = data_of(await buyer.call_tool(LIST, arguments | {"wait_seconds": 0}))
    assert [row["status"] for row in rows_of(table)] == ["pending", "invalid", "pending", "pending"]
    assert [row["external_id"] for row in rows_of(table)] == ["one", "2", None, "four"]
    assert all(row["id"] for row in rows_of(table) if row["status"] == "pending")
    assert table["summary"]["open"] == 3
    assert "ids=[list_id]" in table["next_step"]

    wait = {"ids": [table["list_id"]], "timeout_seconds": 1}
    waited = data_of(await buyer.call_tool(WAIT, wait))
    assert (waited["all_final"], waited["timeout_applied"]) == (False, True)
    service.end_all()
    later = {"ids": [waited["table"]["list_id"]], "timeout_seconds": 50}
    done = data_of(await buyer.call_tool(WAIT, later))
    assert done["all_final"]
    assert done["enrichments"] == []
    emails = [(row["external_id"], row["email"]) for row in rows_of(done["table"])]
    assert emails == [("one", "hit-1@example.com"), (None, None), ("four", "hit-3@example.com")]
    assert sorted(service.posted) == ["hit-1", "hit-3", "miss-2"]


async def test_a_list_that_cannot_be_saved_still_has_its_rows(
    buyer: Client, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise StorageFailed(StorageFault.FULL)

    monkeypatch.setattr("mcp_enrichment.client.client.save_list", fails)
    vendor.always(ListService(ends=1_000_000))
    arguments = {"linkedin_urls": [hit(1), hit(2)], "type": "work", "wait_seconds": 0}
    table = data_of(await buyer.call_tool(LIST, arguments))
    assert [(row["status"], row["id"]) for row in rows_of(table)] == [
        ("pending", "hit-1"),
        ("pending", "hit-2"),
    ]
    assert (table["list_id"], table["all_final"]) == (None, False)


async def test_the_ids_of_rows_and_of_lists_are_waited_for_in_one_call(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    begin = {"linkedin_urls": [hit(1), hit(2)], "type": "work", "wait_seconds": 0}
    table = data_of(await buyer.call_tool(LIST, begin))
    service.end_all()
    first = rows_of(table)[0]["id"]
    done = data_of(await buyer.call_tool(WAIT, {"ids": [first, table["list_id"]]}))
    assert [one["email"] for one in done["enrichments"]] == ["hit-1@example.com"]
    assert len(done["table"]["rows"]) == 2


async def test_a_wait_without_a_list_has_no_table(assistant: Client) -> None:
    found = data_of(
        await assistant.call_tool("request_email_enrichment", {"linkedin_url": ADA, "type": "work"})
    )
    assert "table" not in data_of(await assistant.call_tool(WAIT, {"ids": [found["id"]]}))


@pytest.mark.parametrize("preview", [False, True])
async def test_a_list_without_any_profile_is_an_error(
    buyer: Client, vendor: ScriptedServer, *, preview: bool
) -> None:
    arguments = {"linkedin_urls": ["", "nobody"], "type": "work", "preview": preview}
    assert error_of(await buyer.call_tool(LIST, arguments))["code"] == "invalid_profile_url"
    assert not vendor.seen


async def test_an_unknown_list_is_an_unknown_id(assistant: Client) -> None:
    error = error_of(await assistant.call_tool(WAIT, {"ids": ["list-" + "0" * 32]}))
    assert error["code"] == "unknown_enrichment"


@pytest.mark.parametrize(
    "urls", [f"{ADA}, {JONAS}", f'["{ADA}", "{JONAS}"]', f"{ADA}\n{JONAS}\n", [ADA, JONAS]]
)
async def test_a_list_is_read_in_each_form_that_clients_write(
    embedded: Settings, assistant: Client, urls: object
) -> None:
    import_sample(embedded)
    table = data_of(await assistant.call_tool(LIST, {"linkedin_urls": urls, "type": "work"}))
    assert [row["status"] for row in rows_of(table)] == ["completed", "not-found"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"linkedin_urls": []}, "linkedin_urls"),
        ({"linkedin_urls": [hit(number) for number in range(101)]}, "linkedin_urls"),
        ({"max_credits": -1}, "max_credits"),
        ({"external_ids": ["one"]}, "external_ids: give one for each of linkedin_urls"),
        ({"type": "home"}, "type"),
    ],
)
async def test_wrong_arguments_are_named_and_nothing_is_sent(
    buyer: Client, vendor: ScriptedServer, wrong: dict[str, Any], named: str
) -> None:
    arguments = {"linkedin_urls": [hit(1), hit(2)], "type": "work"} | wrong
    error = error_of(await buyer.call_tool(LIST, arguments))
    assert error["code"] == "invalid_arguments"
    assert named in error["sentence"]
    assert not vendor.seen


async def test_an_outage_is_an_error_and_not_a_table(
    buyer: Client, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.post_sender.POST_RETRY_SECONDS", 0.05)
    vendor.always(replies(503))
    arguments = {"linkedin_urls": [hit(1), hit(2)], "type": "work"}
    assert error_of(await buyer.call_tool(LIST, arguments))["code"] == "service_unavailable"


async def test_a_balance_that_does_not_come_costs_no_table(
    buyer: Client, vendor: ScriptedServer
) -> None:
    service = ListService()

    async def without_balance(stream: SocketStream, seen: ReceivedRequest) -> None:
        is_balance = seen.path.endswith("/credits")
        await (hangs() if is_balance else service)(stream, seen)

    vendor.always(without_balance)
    arguments = {"linkedin_urls": [hit(1), miss(1)], "type": "work"}
    with anyio.fail_after(HANG):
        table = data_of(await buyer.call_tool(LIST, arguments))
    assert [row["status"] for row in rows_of(table)] == ["completed", "not-found"]
    assert table["summary"]["credits_left"] is None


async def test_rows_with_different_errors_are_a_table(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.always(resets())
    lost = {"linkedin_urls": [hit(1)], "type": "work"}
    assert error_of(await buyer.call_tool(LIST, lost))["code"] == "outcome_unknown"
    both = {"linkedin_urls": [hit(1), hit(2)], "type": "work", "max_credits": 0}
    table = data_of(await buyer.call_tool(LIST, both))
    assert [row["status"] for row in rows_of(table)] == ["error", "not-requested"]
    assert [row["credits_charged"] for row in rows_of(table)] == [None, 0]


async def test_a_cancelled_call_begins_nothing_more(buyer: Client, vendor: ScriptedServer) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    urls = [hit(number) for number in range(30)]
    arguments = {"linkedin_urls": urls, "type": "work", "max_credits": 3}
    with anyio.move_on_after(HANG):
        async with anyio.create_task_group() as calls:
            calls.start_soon(buyer.call_tool, LIST, arguments)
            await service.wait_until_posted(3)
            calls.cancel_scope.cancel()
    service.end_all()
    found = data_of(await buyer.call_tool(LIST, arguments | {"max_credits": 0}))
    assert len(service.posted) == 3
    assert found["summary"]["completed"] == 3


async def test_progress_counts_the_people_who_are_answered(
    buyer: Client, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST_PROGRESS", 0.1)
    monkeypatch.setattr(runner, "PROGRESS_EVERY", 0.1)
    vendor.always(service := ListService(ends=1_000_000))
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))
        if len(told) == 2:
            service.end("hit-1")
        if done >= 1:
            service.end_all()

    arguments = {"linkedin_urls": [hit(1), hit(2)], "type": "work", "wait_seconds": 47}
    data_of(await buyer.call_tool(LIST, arguments, progress_callback=on_progress))
    assert all(total == 2 for _, total, _ in told)
    assert any("1 of 2 profiles" in str(message) for _, _, message in told)
    done = [one for one, _, _ in told]
    assert all(later > earlier for earlier, later in itertools.pairwise(done))


async def test_a_person_is_asked_once_for_the_whole_list_and_told_its_cost(
    remote: Settings, service: ListService, era: str
) -> None:
    careful = remote.model_copy(update={"confirm": Confirm.ALWAYS})
    person = Person("accept")
    async with face(careful, era, person=person) as client:
        arguments = {"linkedin_urls": [hit(1), miss(2), hit(3)], "type": "work"}
        table = data_of(await client.call_tool(LIST, arguments))
        again = data_of(await client.call_tool(LIST, arguments))
    assert table["summary"]["completed"] == again["summary"]["completed"] == 2
    assert person.asked == [
        "Look up the work emails of 3 people? It costs at most 3 credits: one for each address "
        "found."
    ]


async def test_a_list_that_a_person_declines_costs_nothing(
    remote: Settings, vendor: ScriptedServer, era: str
) -> None:
    careful = remote.model_copy(update={"confirm": Confirm.ALWAYS})
    async with face(careful, era, person=Person("decline")) as client:
        arguments = {"linkedin_urls": [hit(1), hit(2)], "type": "work"}
        assert error_of(await client.call_tool(LIST, arguments))["code"] == "budget_exceeded"
    assert not vendor.posts


async def test_a_client_with_tasks_gets_the_whole_table_later(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    tasks.on_poll = service.end_all
    arguments = {"linkedin_urls": [hit(1), "nobody", miss(2)], "type": "work"}
    table = data_of(await client.call_tool(LIST, arguments))
    assert len(tasks.given) == 1
    assert [row["status"] for row in rows_of(table)] == ["completed", "invalid", "not-found"]
    assert table["all_final"]


def test_a_price_is_shown_with_its_currency() -> None:
    from decimal import Decimal

    assert CreditPrice(amount=Decimal("0.02"), currency="EUR").of(60) == "1.20 EUR"
    assert CreditPrice(amount=Decimal("0.5")).of(3) == "1.50"
