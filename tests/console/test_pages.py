"""Every page has the security headers, a limited size, and is readable without a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.pages import PAGES

if TYPE_CHECKING:
    from tests.console.visitor import Visitor

pytestmark = pytest.mark.anyio
FILES = ("console.css", "console.js", "icon.svg")
MAX_BYTES = 100_000


@pytest.mark.parametrize(
    "page", [*(path for path in PAGES if "{" not in path), "/sign-in", "/none", "/static/none"]
)
async def test_no_page_runs_its_text_or_loads_from_elsewhere(visitor: Visitor, page: str) -> None:
    answer = await visitor.http.get(f"/console{page}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.text)


async def test_a_page_with_all_its_files_is_small(visitor: Visitor) -> None:
    files = [len((await visitor.get(f"/static/{name}")).content) for name in FILES]
    for path in (path for path in PAGES if "{" not in path):
        assert sum(files) + len((await visitor.get(path)).content) <= MAX_BYTES


async def test_an_unknown_page_says_so(visitor: Visitor) -> None:
    assert "There is nothing at this address" in await visitor.read("/none", status=404)
    assert "Lookups waiting" in await visitor.read("/")
    answer = await visitor.http.delete("/console/sign-in")
    assert answer.status_code == 404


@pytest.mark.parametrize("page", ["/lookups?team=%00", "/lookups?source=%00", "/credits?team=%00"])
async def test_a_null_character_is_refused(visitor: Visitor, page: str) -> None:
    await visitor.read(page, status=400)
    await visitor.post("/credits/change", team="\0", amount="1", status=400)
