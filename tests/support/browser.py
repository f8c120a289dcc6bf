"""Debian's Chromium, driven by Playwright, and axe-core's judgement of a page."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.support.optional_tools import do_without, needs_package
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, BrowserContext, Frame, Page

NO_CHROMIUM = (
    "Chromium is not installed, so the pages are left out of the tests. "
    "As root, `python3 tasks.py test` installs Debian's package; else install it yourself."
)
PATIENCE = HANG * 1000
"""Milliseconds that Playwright waits for what a test expects. Its own limits measure speed."""
SERIOUS = {"serious", "critical"}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium for the block; without one the test is skipped, and in CI it fails."""
    program = shutil.which("chromium")
    if program is None:
        do_without(NO_CHROMIUM)
    needs_package("playwright", "dev")
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, timeout=PATIENCE)
        try:
            yield browser
        finally:
            await browser.close()


async def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A fresh profile of the browser: its options are Playwright's, for example `color_scheme`."""
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    return context


async def serious_faults(page: Page | Frame) -> list[str]:
    """The serious and critical findings of axe-core: each rule, and the elements that it names.

    axe-core does not check frames: pass a frame of a page to check it.
    """
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = await page.evaluate("axe.run({iframes: false})")
    return [
        f"{fault['id']}: {[node['html'] for node in fault['nodes']]}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
    ]
