"""The app with the server behind the chat: rows fill in, and the rest is found after consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from playwright.async_api import expect

from tests.mcp.app_results import arguments_for, found, result, row, table
from tests.mcp.faces import face
from tests.support.app_host import app_host, on_the_wire, through
from tests.support.list_service import ListService, hit, miss

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp import Client
    from playwright.async_api import Browser

    from mcp_enrichment.settings import Settings
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

LIST, WAIT = "request_email_enrichments", "wait_for_enrichment"


@pytest.fixture
def service(vendor: ScriptedServer) -> ListService:
    vendor.always(service := ListService(ends=1_000_000))
    return service


@pytest.fixture
async def client(remote: Settings) -> AsyncIterator[Client]:
    async with face(remote, "auto") as connected:
        yield connected


async def test_rows_fill_in_while_they_are_waited_for_and_then_the_model_is_told(
    browser: Browser, client: Client, service: ListService
) -> None:
    given = {"linkedin_urls": [hit(1), miss(2), hit(3), hit(1)], "type": "work", "wait_seconds": 0}
    async with app_host(browser, through(client)) as host:
        await host.show(given)
        table = await client.call_tool(LIST, given)
        await host.show_result(on_the_wire(table))
        await expect(host.app.get_by_text("Searching…")).to_have_count(4)
        service.end("hit-1")
        await expect(host.app.get_by_text("hit-1@example.com")).to_have_count(2)
        await expect(host.app.get_by_text("Searching…")).to_have_count(2)
        service.end_all()
        await expect(host.app.get_by_role("heading")).to_have_text("3 of 4 people found")
        await expect(host.app.get_by_text("2 credits spent")).to_be_visible()
        [told] = await host.heard("ui/update-model-context")
        assert {name for name, _ in host.calls} == {WAIT}, "waiting is free"
    [content] = told["content"]
    list_id = (table.structured_content or {})["list_id"]
    assert f'wait_for_enrichment with ids=["{list_id}"]' in content["text"]
    assert "example.com" not in content["text"]
    read = await client.call_tool(WAIT, {"ids": [list_id]})
    assert (read.structured_content or {})["all_final"]


async def test_the_rest_is_counted_first_and_requested_only_after_consent(
    browser: Browser, client: Client, service: ListService
) -> None:
    service.end_all()
    given: dict[str, Any] = {
        "linkedin_urls": [hit(1), hit(2), miss(3), "nobody"],
        "external_ids": ["one", "two", None, "four"],
        "type": "work",
    }
    first = await client.call_tool(LIST, given | {"max_credits": 1})
    before = len(service.posted)
    async with app_host(browser, through(client)) as host:
        await host.show(given, on_the_wire(first))
        await host.app.get_by_role("button", name="Find the rest").click()
        question = host.app.get_by_role("heading", name="Look up")
        await expect(question).to_be_focused()
        await host.page.keyboard.press("Escape")
        await expect(host.app.get_by_role("button", name="Find the rest")).to_be_focused()
        assert len(service.posted) == before, "it was counted only"

        await host.page.keyboard.press("Enter")
        await expect(question).to_be_focused()
        await host.page.keyboard.press("Tab")
        spend = host.app.get_by_role("button", name="Spend at most")
        await expect(spend).to_be_focused()
        agreed = int((await spend.inner_text()).split()[3])
        await host.page.keyboard.press("Enter")
        await expect(host.app.get_by_role("heading")).to_have_text("2 of 4 people found")
        await expect(host.app.get_by_text("hit-2@example.com")).to_be_visible()
        await expect(host.app.get_by_text("two")).to_be_visible()
        [told] = await host.heard("ui/update-model-context")
    assert sorted(service.posted) == ["hit-1", "hit-2", "miss-3"]
    [request] = [sent for name, sent in host.calls if name == LIST and not sent.get("preview")]
    assert request["max_credits"] == agreed
    assert "request_email_enrichments with the same profiles and max_credits=0" in str(told)
    read = (await client.call_tool(LIST, given | {"max_credits": 0})).structured_content or {}
    assert (read["summary"]["completed"], read["summary"]["credits_charged"]) == (2, 0)


async def test_a_preview_offers_what_it_has_counted(
    browser: Browser, client: Client, service: ListService
) -> None:
    service.end_all()
    given = {"linkedin_urls": [hit(1), miss(2)], "type": "work", "preview": True}
    counted = on_the_wire(await client.call_tool(LIST, given))
    async with app_host(browser, through(client)) as host:
        await host.show(given, counted)
        await expect(host.app.get_by_role("status")).to_have_text("0 known, 0 running, 2 new.")
        await host.app.get_by_role("button", name="Find the rest").click()
        await host.app.get_by_role("button", name="Spend at most 2 credits").click()
        await expect(host.app.get_by_text("hit-1@example.com")).to_be_visible()


async def test_enrichments_that_are_waited_for_one_by_one_are_rows_too(
    browser: Browser, client: Client, service: ListService
) -> None:
    one = {"linkedin_url": hit(1), "type": "work", "wait_seconds": 0}
    created = (await client.call_tool("request_email_enrichment", one)).structured_content or {}
    given = {"ids": [created["id"]], "timeout_seconds": 1}
    waited = on_the_wire(await client.call_tool(WAIT, given))
    async with app_host(browser, through(client)) as host:
        await host.show(given, waited)
        await expect(host.app.get_by_text("Searching…")).to_be_visible()
        service.end_all()
        await expect(host.app.get_by_text("hit-1@example.com")).to_be_visible()


async def test_without_a_limit_of_the_cost_nothing_can_be_agreed_to(browser: Browser) -> None:
    rows = [found(1), row(2, "not-requested")]

    async def uncounted(_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert arguments["preview"]
        return result({"preview": {"known": 0, "new": 1}})

    async with app_host(browser, uncounted) as host:
        await host.show(arguments_for(*rows), table(*rows))
        await host.app.get_by_role("button", name="Find the rest").click()
        await expect(host.app.get_by_role("alert")).to_contain_text("cannot be read")
        await expect(host.app.get_by_role("button", name="Spend")).to_be_hidden()


async def test_a_refused_request_leaves_the_rows_as_they_were_and_says_why(
    browser: Browser, client: Client, service: ListService
) -> None:
    rows = [found(1), row(2, "not-requested", reason="budget_exceeded")]

    async def refused(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("preview"):
            return await through(client)(name, arguments)
        raise ConnectionError

    async with app_host(browser, refused) as host:
        await host.show(arguments_for(*rows), table(*rows))
        await host.app.get_by_role("button", name="Find the rest").click()
        await host.app.get_by_role("button", name="Spend at most 1 credit").click()
        await expect(host.app.get_by_role("alert")).to_contain_text("passed on no answer")
        await expect(host.app.get_by_text("Not requested", exact=True)).to_be_visible()
        assert service.posted == []


async def test_a_wait_that_fails_is_repeated_when_the_person_says_so(
    browser: Browser, client: Client, service: ListService
) -> None:
    given = {"linkedin_urls": [hit(1)], "type": "work", "wait_seconds": 0}
    open_list = on_the_wire(await client.call_tool(LIST, given))
    is_broken = [True]

    async def broken_once(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if is_broken.pop() if is_broken else False:
            raise ConnectionError
        return await through(client)(name, arguments)

    async with app_host(browser, broken_once) as host:
        await host.show(given, open_list)
        service.end_all()
        await host.app.get_by_role("button", name="Check again").click()
        await expect(host.app.get_by_text("hit-1@example.com")).to_be_visible()
        await expect(host.app.get_by_role("alert")).to_be_hidden()


@pytest.mark.usefixtures("service")
async def test_a_closed_app_asks_for_no_more(browser: Browser, client: Client) -> None:
    given = {"linkedin_urls": [hit(1)], "type": "work", "wait_seconds": 0}
    open_list = on_the_wire(await client.call_tool(LIST, given))
    is_closed = anyio.Event()

    async def answered_when_closed(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        await is_closed.wait()
        return await through(client)(name, arguments)

    async with app_host(browser, answered_when_closed) as host:
        await host.show(given, open_list)
        await host.heard("tools/call")
        await host.page.evaluate("sendTeardown()")
        closed = "heard.some(one => one.id === 1 && one.result && !one.method)"
        await host.page.wait_for_function(closed)
        is_closed.set()
        await expect(host.app.get_by_role("status")).to_have_text("0 of 1 answered.")
        await anyio.sleep(1.5)  # it would have asked again in half a second
        assert len(host.calls) == 1
