"""The app in a chat: what a person sees and can do, with results as chats pass them on."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from playwright.async_api import expect

from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.lists import COLUMNS
from tests.mcp.app_results import arguments_for, found, result, row, table
from tests.support.app_host import EVERYTHING, app_host
from tests.support.browser import serious_faults

if TYPE_CHECKING:
    from playwright.async_api import Browser, FrameLocator, Locator

pytestmark = pytest.mark.anyio

MIXED = (
    found(2, source="hunter", verification="unverified", external_id="CRM-2"),
    row(1, "not-found", credits_charged=0),
    found(10, reused=True, credits_charged=0),
    row(3, "not-requested", reason="budget_exceeded", credits_charged=0),
)
EXECUTES = "<img src=x onerror=window.hit=1><script>window.hit=1</script>\"'><b>&amp;"
"""Text that runs if any place takes it as HTML."""


async def no_calls(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError("the app called a tool")


def rows_of(app: FrameLocator) -> Locator:
    return app.get_by_role("table").get_by_role("row").filter(has=app.get_by_role("cell"))


async def people_in(app: FrameLocator) -> list[str]:
    return [text.split()[0] for text in await rows_of(app).all_inner_texts()]


def test_the_page_is_one_file_of_at_most_40_kb_that_names_no_other_address() -> None:
    assert len(apps.page().encode()) <= 40_000
    assert "src=" not in apps.page()
    assert "innerHTML" not in apps.page()


async def test_a_table_says_what_was_found_and_spent_and_why_a_row_has_no_email(
    browser: Browser,
) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), table(*MIXED))
        await expect(host.app.get_by_role("heading")).to_have_text("2 of 4 people found")
        await expect(host.app.get_by_text("1 credit spent, 200 left")).to_be_visible()
        each = await rows_of(host.app).all()
        cells = [await one.get_by_role("cell").all_inner_texts() for one in each]
        assert cells[0][:2] == ["person-2 CRM-2", "person-2@example.com"]
        assert cells[0][2:] == ["Found", "hunter", "unverified", "1"]
        assert cells[2][5] == "known", "it was paid for before"
        assert cells[3][1:3] == ["the budget is spent", "Not requested"]


async def test_a_chat_that_passes_on_the_text_alone_shows_the_same_table(browser: Browser) -> None:
    text = json.dumps(table(*MIXED)["structuredContent"])
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), {"content": [{"type": "text", "text": text}]})
        await expect(host.app.get_by_text("1 credit spent, 200 left")).to_be_visible()


async def test_rows_are_shown_as_soon_as_the_call_begins(browser: Browser) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED))
        await expect(rows_of(host.app)).to_have_count(4)
        await expect(host.app.get_by_text("Searching…")).to_have_count(4)
        await expect(host.app.get_by_role("progressbar")).to_be_visible()


async def test_a_column_sorts_up_then_down_then_as_given_with_empty_cells_last(
    browser: Browser,
) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), table(*MIXED))
        heading = host.app.get_by_role("columnheader", name="Email")
        given = await people_in(host.app)
        for order, people in (
            ("ascending", ["person-2", "person-10", "person-1", "person-3"]),
            ("descending", ["person-10", "person-2", "person-1", "person-3"]),
        ):
            await heading.get_by_role("button").click()
            await expect(heading).to_have_attribute("aria-sort", order)
            assert await people_in(host.app) == people
        await heading.get_by_role("button").click()
        assert await people_in(host.app) == given


async def test_rows_are_chosen_by_their_status_and_by_a_text(browser: Browser) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), table(*MIXED))
        await host.app.get_by_label("Show").select_option("completed")
        await expect(rows_of(host.app)).to_have_count(2)
        await host.app.get_by_label("Search").fill("crm-2")
        await expect(rows_of(host.app)).to_have_count(1)
        await host.app.get_by_label("Search").fill("nobody")
        await expect(host.app.get_by_text("No row fits")).to_be_visible()


@pytest.mark.parametrize("width", [720, 320])
async def test_a_long_list_is_leafed_through_in_a_frame_of_at_most_500_pixels(
    browser: Browser, width: int
) -> None:
    people = [found(number, external_id="CRM-1" * 9) for number in range(100)]
    seen: list[str] = []
    async with app_host(browser, no_calls, viewport={"width": width, "height": 600}) as host:
        await host.show(arguments_for(*people), table(*people))
        following = host.app.get_by_role("button", name="Next")
        await expect(following).to_be_enabled()
        while True:
            seen += await people_in(host.app)
            if await following.is_disabled():
                break
            await following.press("Enter")
        assert seen == [f"person-{number}" for number in range(100)]
        sizes = await host.heard("ui/notifications/size-changed")
        assert max(size["height"] for size in sizes) <= 500
        root = "document.documentElement"
        scrolls = f"{root}.scrollHeight > innerHeight || {root}.scrollWidth > innerWidth"
        assert not await host.frame.evaluate(scrolls)
        previous = host.app.get_by_role("button", name="Previous")
        await expect(previous).to_be_focused()
        await previous.press("Enter")
        await expect(following).to_be_enabled()


async def test_a_full_screen_shows_all_rows(browser: Browser) -> None:
    people = [found(number) for number in range(30)]
    context = {"availableDisplayModes": ["inline", "fullscreen"], "displayMode": "inline"}
    async with app_host(browser, no_calls, context=context) as host:
        await host.show(arguments_for(*people), table(*people))
        await host.app.get_by_role("button", name="Expand").click()
        await expect(rows_of(host.app)).to_have_count(30)
        await host.app.get_by_role("button", name="Collapse").click()
        await expect(host.app.get_by_role("button", name="Next")).to_be_visible()


async def test_the_csv_has_the_rows_shown_and_no_cell_that_a_spreadsheet_would_run(
    browser: Browser,
) -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\uff1d1"]
    rows = [found(number, external_id=text) for number, text in enumerate(formulas)]
    rows += [found(8, external_id='a "quoted"\nline, é'), row(9, "not-found")]
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*rows), table(*rows))
        await host.app.get_by_label("Show").select_option("completed")
        await host.app.get_by_role("button", name="CSV").click()
        [sent] = await host.heard("ui/download-file")
    [content] = sent["contents"]
    assert content["resource"]["mimeType"] == "text/csv"
    read = list(csv.DictReader(io.StringIO(content["resource"]["text"].removeprefix("\ufeff"))))
    assert [one["external_id"] for one in read] == [
        *(f"'{text}" for text in formulas),
        'a "quoted"\nline, é',
    ]
    assert read[0]["linkedin_url"] == "https://www.linkedin.com/in/person-0"
    assert read[0]["email"] == "person-0@example.com"


async def test_an_address_and_the_whole_table_can_be_copied(browser: Browser) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), table(*MIXED))
        for button, said, begins in (
            ("Copy person-2@example.com", "Copied person-2@example.com.", "person-2@example.com"),
            ("Copy", "Copied 4 people.", "linkedin_url\tstatus\temail"),
        ):
            await host.app.get_by_role("button", name=button, exact=True).click()
            await expect(host.app.get_by_role("status")).to_have_text(said)
            assert (await _pasted(host.page)).startswith(begins)


async def _pasted(page: Any) -> str:
    """The text that a person pastes into a field of the chat."""
    await page.evaluate("document.body.append(document.createElement('textarea'))")
    area = page.locator("textarea").last
    await area.press("Control+V")
    return str(await area.input_value())


async def test_text_of_strangers_is_shown_and_runs_nothing(browser: Browser) -> None:
    everywhere = dict.fromkeys(COLUMNS, EXECUTES) | {"id": None}
    rows = [
        list((everywhere | {"status": "completed"}).values()),
        list((everywhere | {"status": "invalid", "email": None}).values()),
        list(everywhere.values()),
        row(4, "constructor", reason="constructor"),
    ]
    explained = {"happened": EXECUTES, "money": EXECUTES, "for_person": EXECUTES}
    error = {"isError": True, "content": [], "_meta": {"error": {"explanation": explained}}}
    async with app_host(browser, no_calls) as host:
        await host.show({"linkedin_urls": [EXECUTES], "external_ids": [EXECUTES], "type": EXECUTES})
        await expect(rows_of(host.app)).to_contain_text([EXECUTES])
        await host.show(arguments_for(*rows), table(*rows))
        await expect(rows_of(host.app)).to_have_count(4)
        await host.show_result(error)
        await expect(host.app.get_by_role("alert")).to_contain_text(EXECUTES)
        assert await host.frame.evaluate("document.querySelectorAll('img, script, b').length") == 1
        assert await host.frame.evaluate("window.hit") is None


@pytest.mark.parametrize("capabilities", [{}, EVERYTHING], ids=["not-declared", "refused"])
async def test_a_chat_that_refuses_tool_calls_still_shows_the_table(
    browser: Browser, capabilities: dict[str, Any]
) -> None:
    async def refuse(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        raise PermissionError

    rows = [found(1), row(2, "pending", id="a" * 24), MIXED[3]]
    async with app_host(browser, refuse, capabilities=capabilities) as host:
        await host.show(arguments_for(*rows), table(*rows))
        await expect(host.app.get_by_text("Ask the assistant")).to_be_visible()
        await expect(rows_of(host.app)).to_have_count(3)
        await expect(host.app.get_by_role("button", name="CSV")).to_be_visible(
            visible=bool(capabilities)
        )
        rest = host.app.get_by_role("button", name="Find the rest")
        await expect(rest).to_be_visible(visible=bool(capabilities))


async def test_an_error_of_the_tool_is_shown_as_it_is_told_to_people(browser: Browser) -> None:
    told = {"happened": "No key is set.", "money": "Nothing was sent.", "for_person": "Set one."}
    error = {"isError": True, "content": [], "_meta": {"error": {"explanation": told}}}
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), error)
        said = "No key is set. Nothing was sent. Set one."
        await expect(host.app.get_by_role("alert")).to_have_text(said)
        await expect(rows_of(host.app)).to_have_count(0)


@pytest.mark.parametrize(
    "unreadable",
    [
        {"content": [{"type": "text", "text": "<b>no JSON"}]},
        result({"columns": 1, "rows": [None]}),
        result({"enrichments": [None]}),
    ],
)
async def test_a_result_that_cannot_be_read_is_said_to_be_so(
    browser: Browser, unreadable: dict[str, Any]
) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED), unreadable)
        told = host.app.get_by_role("alert")
        await expect(told).to_have_text("The server's answer cannot be read.")
        await host.show_result(table(*MIXED))
        await expect(told).to_be_hidden()
        await expect(host.app.get_by_role("heading")).to_have_text("2 of 4 people found")


async def test_a_cancelled_call_leaves_no_row_searching(browser: Browser) -> None:
    async with app_host(browser, no_calls) as host:
        await host.show(arguments_for(*MIXED))
        await host.page.evaluate("sendCancelled()")
        await expect(host.app.get_by_role("alert")).to_contain_text("was cancelled")
        await expect(host.app.get_by_text("Searching…")).to_have_count(0)


@pytest.mark.parametrize("width", [720, 320])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious_in_either_theme_also_while_it_asks(
    browser: Browser, theme: str, width: int
) -> None:
    rows = [*MIXED, row(5, "pending", id="a" * 24), row(6, "invalid", reason="not a person")]

    async def count(_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if "preview" not in arguments:
            await anyio.sleep_forever()
        counted = {"known": 0, "running": 0, "new": 1, "unknown": 1, "max_credits": 1}
        return result({"preview": counted | {"max_cost": "0.10 EUR"}})

    other = "dark" if theme == "light" else "light"
    view = {"color_scheme": other, "viewport": {"width": width, "height": 600}}
    async with app_host(browser, count, context={"theme": theme}, **view) as host:
        await host.show(arguments_for(*rows), table(*rows))
        await expect(rows_of(host.app)).to_have_count(6)
        assert await serious_faults(host.frame) == []
        await host.app.get_by_role("button", name="Find the rest").click()
        await expect(host.app.get_by_text("at most 1 credit (0.10 EUR)")).to_be_visible()
        assert await serious_faults(host.frame) == []
        page = "getComputedStyle(document.body).backgroundColor"
        wanted = "rgb(255, 255, 255)" if theme == "light" else "rgb(30, 33, 38)"
        assert await host.frame.evaluate(page) == wanted, "the chat's theme, not the system's"


async def test_the_colours_of_the_chat_are_used_if_it_gives_them_all(browser: Browser) -> None:
    names = ("background-primary", "text-primary", "text-secondary", "border-primary")
    some = {f"--color-{name}": "rgb(1, 2, 3)" for name in names}
    page = "getComputedStyle(document.body).backgroundColor"
    async with app_host(browser, no_calls, context={"styles": {"variables": some}}) as host:
        assert await host.frame.evaluate(page) != "rgb(1, 2, 3)"
        every = some | {"--color-border-secondary": "rgb(1, 2, 3)"}
        await host.page.evaluate("given => sendContext(given)", {"styles": {"variables": every}})
        await host.frame.wait_for_function(f"{page} === 'rgb(1, 2, 3)'")
