"""The documentation site builds without a warning, and its pages are whole, small and reachable."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

import mcp_enrichment
from mcp_enrichment.mcp.tools import TOOLS
from mcp_enrichment.service.http.openapi import document
from mcp_enrichment.settings import Settings
from tests.support.browser import new_context, serious_faults
from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import needs_package
from website.checks import LARGEST, faults, loaded_files
from website.links import DeadLinkError, Links
from website.navigation import SECTIONS, pages

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Request, ViewportSize

LOOKED_AT = ("index", "install", "security", "http-api", "python-api", "cookbook")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Its build ends with an error at a warning, or at a fault that it finds."""
    needs_package("sphinx", "site")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "website", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "html"


def test_every_page_has_its_html_and_its_markdown_and_models_find_both(site: Path) -> None:
    listed = re.findall(r"\]\((.+?)\.md\): \S", (site / "llms.txt").read_text("utf-8"))
    whole = (site / "llms-full.txt").read_text("utf-8")
    assert listed == [page.name for page in pages()]
    for name in listed:
        markdown = (site / f"{name}.md").read_text("utf-8")
        assert markdown.startswith("# ")
        assert markdown in whole
        assert f'href="{name}.md"' in (site / f"{name}.html").read_text("utf-8")


def test_every_document_of_the_repository_is_a_page() -> None:
    kept = subprocess.run(
        ["git", "ls-files", "*.md"],  # noqa: S607
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    others = "packaging/claude-plugin/"  # read by assistants alone
    documents = {path for path in kept if not path.startswith(others)}
    assert documents == {page.source for page in pages() if page.source}


def test_security_comes_before_set_up() -> None:
    order = [page.name for page in pages()]
    assert order.index("security") < order.index("install")
    assert next(iter(SECTIONS.values()))[0].name == "security"


def test_a_page_with_all_that_it_loads_is_small_when_sent(site: Path) -> None:
    for file in site.glob("*.html"):
        sent = [file, *loaded_files(file, pictures=False)]
        assert len(sent) > 5
        assert sum(len(gzip.compress(one.read_bytes())) for one in sent) <= LARGEST, file


def test_the_reference_has_everything_that_there_is(site: Path) -> None:
    expected = {
        "settings": [f"`ENRICHMENT_{name.upper()}`" for name in Settings.model_fields],
        "tools": [f"## `{tool.name}`" for tool in TOOLS],
        "http-api": [
            *(f"{m.upper()} {p}" for p, methods in document()["paths"].items() for m in methods),
            *(f"### {name}\n" for name in document()["components"]["schemas"]),
        ],
        "python-api": [f"## `{n}`\n" for n in mcp_enrichment.__all__ if n != "__version__"],
    }
    for page, parts in expected.items():
        text = (site / f"{page}.md").read_text("utf-8").replace("\\{", "{")
        assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ('<a href="none.html">', "links to none.html, which there is not"),
        ('<a href="#none">', "links to #none, an anchor that there is not"),
        ('<img src="none.png">', "links to none.png, which there is not"),
        ('<script src="//cdn.example/x.js">', "loads //cdn.example/x.js"),
        ('<link rel="stylesheet" href="https://fonts.example/a">', "loads https://fonts.example/a"),
        ("x" * (LARGEST + 1), "has 100,001 bytes, more than 100,000"),
    ],
)
def test_the_build_finds_a_fault(tmp_path: Path, markup: str, said: str) -> None:
    (tmp_path / "llms.txt").write_text("[one](index.html)")
    (tmp_path / "index.html").write_text('<a id="top" href="#top">')
    assert faults(tmp_path) == []
    (tmp_path / "page.html").write_text(markup)
    assert faults(tmp_path) == [f"page.html: {said}"]


def test_the_build_finds_a_font_of_another_host_and_a_dead_link_of_markdown(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("a{} @import 'https://fonts.example/a';")
    (tmp_path / "llms.txt").write_text("[one](none.md)")
    assert faults(tmp_path) == [
        "site.css: loads https://fonts.example/a",
        "llms.txt: links to none.md, which there is not",
    ]


def test_a_page_cannot_link_to_a_file_that_there_is_not() -> None:
    links = Links()
    text = "[a](install.md#the-key) [b](../LICENSE) [c](https://x.example) `[d](e)`\n"
    assert links.rewrite(f"{text}```\n[e](f)\n```\n", "docs/http.md").startswith(
        "[a](install.md#the-key) [b](files/LICENSE) [c](https://x.example)"
    )
    assert links.files == {"LICENSE"}
    with pytest.raises(DeadLinkError, match=r"docs/http.md links to none.md"):
        links.rewrite("[a](none.md)", "docs/http.md")
    with pytest.raises(DeadLinkError, match=r"which website/navigation.py does not list"):
        links.rewrite("[a](packaging/claude-plugin/skills/find-emails/SKILL.md)", "README.md")


@pytest.mark.anyio
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_people_read_search_and_choose_in_both_themes_on_a_small_screen(
    site: Path, browser: Browser, theme: Literal["light", "dark"]
) -> None:
    requested: list[str] = []

    def note(request: Request) -> None:
        requested.append(request.url)

    small: ViewportSize = {"width": 375, "height": 700}
    context = await new_context(browser, color_scheme=theme, viewport=small)
    page = await context.new_page()
    page.on("request", note)
    for name in LOOKED_AT:
        await page.goto((site / f"{name}.html").as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= small["width"]
        assert await serious_faults(page) == []
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (theme == "light")
    await page.goto((site / "install.html").as_uri())
    await page.locator("summary", has_text="Codex").click()
    assert await page.locator("details[open] > summary").all_inner_texts() == ["Codex"]
    await page.goto(f"{(site / 'search.html').as_uri()}?q=suppression")
    # A result moves while others are added, so a click might meet another one.
    await page.locator("#search-results li a", has_text="rights of people").press("Enter")
    await page.wait_for_url("**/privacy.html*")
    assert {urlsplit(url).scheme for url in requested} == {"file"}
