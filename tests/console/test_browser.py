"""The console in Chromium: by keyboard, in both themes, narrow, live, and without scripts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from mcp_enrichment.console.pages import PAGES
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.service.requests import submission
from tests.cli.commands import Shell
from tests.console.test_served import started
from tests.support.browser import new_context, serious_faults
from tests.support.databases import change
from tests.support.running_service import ADA, ADAS, HIT, MISS, FixedSource, running_service
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.anyio
EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
THEMES = ("light", "dark")
NARROW = {"width": 390, "height": 844}
SHOWN = [path for path in PAGES if "{" not in path]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


async def _store(shell: Shell) -> str:
    """Store lookups with hostile texts; the id of the newest one, which has an address."""
    shell.database.parent.mkdir(mode=0o700)
    source = FixedSource(MISS, HIT)
    async with running_service(shell.database, source, credits=250, allow_private=True) as it:
        for number in range(3):
            body = {"external_id": EVIL} if number == 2 else {}
            request_id = await it.accepted(linkedin_url=f"{ADA}-{number}", **body)
            await it.final(request_id)
    change(shell.database, f"UPDATE source_calls SET reason = '{EVIL[:20]}'")  # noqa: S608
    return request_id


@asynccontextmanager
async def opened(shell: Shell, browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page of the local console, opened by its link."""
    with started(shell, "console", "--no-browser") as process:
        assert process.stdout
        link = (await anyio.to_thread.run_sync(process.stdout.readline)).strip()
        context = await new_context(browser, base_url=link.partition("/console")[0], **options)
        page = await context.new_page()
        await page.goto(link)
        await page.wait_for_url("**/console")
        yield page
        await context.close()


@pytest.mark.parametrize("theme", THEMES)
async def test_axe_finds_nothing_serious_on_any_page(
    shell: Shell, browser: Browser, theme: Any
) -> None:
    request_id = await _store(shell)
    async with opened(shell, browser, color_scheme=theme) as page:
        for path in [*SHOWN, f"/lookups/{request_id}", "/none"]:
            await page.goto(f"/console{path}")
            assert await serious_faults(page) == [], path
        await page.goto("/console/teams")
        await page.get_by_label("Name").fill("acme")
        async with page.expect_event("load"):
            await page.get_by_role("button", name="Add").click()
        assert await serious_faults(page) == []


async def test_on_a_phone_no_page_is_wider_than_the_screen(shell: Shell, browser: Browser) -> None:
    request_id = await _store(shell)
    async with opened(shell, browser, viewport=NARROW) as page:
        for path in [*SHOWN, f"/lookups/{request_id}"]:
            await page.goto(f"/console{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path


async def test_a_strangers_text_runs_nothing(shell: Shell, browser: Browser) -> None:
    request_id = await _store(shell)
    async with opened(shell, browser) as page:
        for path in (f"/lookups/{request_id}", "/lookups", "/sources"):
            await page.goto(f"/console{path}")
            assert await page.title() != "run"
            assert await page.locator("main img, main script").count() == 0
        await page.goto(f"/console/lookups/{request_id}")
        assert await page.get_by_text(EVIL).count() == 1
        await page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title="
            "`run`\">')"
        )
        await page.reload()
        assert await page.title() != "run"


async def test_no_page_breaks_its_own_policy(shell: Shell, browser: Browser) -> None:
    await _store(shell)
    said: list[str] = []
    async with opened(shell, browser) as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for path in SHOWN:
            await page.goto(f"/console{path}")
    assert said == []


async def test_an_address_is_shown_and_credits_are_granted_by_keyboard_alone(
    shell: Shell, browser: Browser
) -> None:
    request_id = await _store(shell)
    async with opened(shell, browser) as page:
        await page.goto(f"/console/lookups/{request_id}")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # skips to the content
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_text(ADAS).wait_for()
        await page.goto("/console/credits")
        await page.get_by_label("Credits", exact=True).focus()
        await page.keyboard.type("7")
        await page.keyboard.press("Enter")
        await page.get_by_text("Grant 7 credits to default?").wait_for()
        await page.keyboard.press("Tab")
        while await page.evaluate("document.activeElement.tagName") != "BUTTON":
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_text("default now has 255 credits available.").wait_for()


async def test_a_page_follows_what_happens_by_itself(shell: Shell, browser: Browser) -> None:
    await _store(shell)
    async with opened(shell, browser) as page:
        await page.get_by_text("Updates live.").wait_for()
        async with running_service(shell.database, FixedSource(HIT)) as it:
            await it.final(await it.accepted(linkedin_url=f"{ADA}-later"))
        await page.locator(".tiles div", has_text="Found").get_by_text("3", exact=True).wait_for()
        await page.get_by_role("button", name="Pause").click()
        await page.get_by_text("Updates are paused.").wait_for()


async def test_a_page_stays_through_an_outage_and_then_shows_what_it_missed(
    shell: Shell, browser: Browser
) -> None:
    await _store(shell)
    key = shell.run("keys", "create", "--operator").out.strip()
    with started(shell, "service", "--port", "0") as process:
        assert process.stderr
        port = process.stderr.readline().split("127.0.0.1:")[1].split()[0]
        context = await new_context(browser, base_url=f"http://127.0.0.1:{port}")
        page = await context.new_page()
        await page.goto("/console")
        await page.get_by_label("Operator's key").fill(key)
        await page.keyboard.press("Enter")
        await page.get_by_text("Updates live.").wait_for()
        async with running_service(shell.database, FixedSource(HIT)) as it:
            change(shell.database, "ALTER TABLE api_keys RENAME TO away")
            await page.get_by_text("The server does not answer.").wait_for()
            later = EnrichmentRequest(linkedin_url=f"{ADA}-later", type=EmailType.WORK)
            accepted = await submission.accept(it.service, it.team_id, later)
            await it.service.completion_waiter.wait(accepted.request.id, HANG)
        found = page.locator(".tiles div", has_text="Found")
        await found.get_by_text("2", exact=True).wait_for()
        change(shell.database, "ALTER TABLE away RENAME TO api_keys")
        await found.get_by_text("3", exact=True).wait_for()
        await page.get_by_text("Updates live.").wait_for()
        await context.close()


async def test_without_scripts_pages_are_read_and_a_file_is_imported(
    shell: Shell, browser: Browser
) -> None:
    await _store(shell)
    async with opened(shell, browser, java_script_enabled=False) as page:
        for path in SHOWN:
            await page.goto(f"/console{path}")
            assert await page.locator("main h1").count() == 1
        await page.goto("/console/contacts")
        content = "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
        content += "Ada,Okafor,https://www.linkedin.com/in/ada-x,x@example.com,A,B,01 Jan 2026\n"
        file = {"name": "Connections.csv", "mimeType": "text/csv", "buffer": content.encode()}
        await page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
        await page.get_by_role("button", name="Preview").click()
        await page.get_by_role("button", name="Import them").click()
        while not await page.get_by_text("Stored 1 rows").count():
            await page.reload()


async def test_another_sites_form_and_frame_reach_nothing(shell: Shell, browser: Browser) -> None:
    await _store(shell)
    async with opened(shell, browser) as page:
        root = page.url
        # Another port of loopback is another origin, of the same site.
        form = f"<form method=post action={root}/teams/add><button>go</button></form>"
        other = await page.context.new_page()
        await other.set_content(form)
        await other.get_by_role("button").click()
        await other.get_by_text("Nothing happened").wait_for()
        framed = await page.context.new_page()
        await framed.set_content(f"<iframe src={root}></iframe>")
        frame = framed.frames[-1]
        assert "Lookups waiting" not in await frame.content()
