"""The tests judge pages in a real browser, and axe-core's findings reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import browser as support
from tests.support.browser import new_context, serious_faults

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.anyio


async def test_a_fault_of_a_page_is_found_and_a_sound_page_has_none(browser: Browser) -> None:
    page = await (await new_context(browser)).new_page()
    await page.set_content("<html lang=en><title>A</title><main><h1>A</h1><img src=data:,></main>")
    assert [fault.partition(":")[0] for fault in await serious_faults(page)] == ["image-alt"]
    await page.set_content("<html lang=en><title>A</title><main><h1>A</h1></main>")
    assert await serious_faults(page) == []


@pytest.mark.parametrize("ci", ["", "true"])
async def test_without_chromium_a_test_is_skipped_by_name_and_in_ci_it_fails(
    monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    monkeypatch.setattr(support.shutil, "which", lambda _: None)
    monkeypatch.setenv("CI", ci)
    left_out = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(left_out, match="Chromium is not installed"):
        async with support.chromium():
            pass
