"""What is wrong with a built site: dead links, other hosts, pages that are too large."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 100_000
"""Bytes that a page may have without pictures."""
LOADED = {"script", "img", "iframe", "source", "video", "audio", "embed"}
LOADING_LINKS = {"stylesheet", "preload", "icon", "shortcut", "modulepreload", "prefetch"}
OF_CSS = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")
OF_MARKDOWN = re.compile(r"\]\(([^)\s]+)\)")


class _Page(HTMLParser):
    """The ids of a page, its links, and the addresses that a browser loads for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        rel = set(given.get("rel", "").split())
        loads = tag in LOADED or (tag == "link" and rel & LOADING_LINKS)
        for target in (given[name] for name in ("href", "src") if name in given):
            (self.loads if loads else self.links).append(target)


def faults(folder: Path) -> list[str]:
    """A line for each fault of the site in this folder."""
    return [
        f"{file.relative_to(folder)}: {fault}"
        for find in (_dead_links, _other_hosts, _too_large, _dead_links_of_markdown)
        for file, fault in find(folder)
    ]


def loaded_files(page: Path, *, pictures: bool = True) -> list[Path]:
    """The files that a browser loads for a page of the site."""
    loads = [page.parent / unquote(urlsplit(of).path) for of in _parsed(page).loads]
    return [of for of in loads if pictures or of.suffix in {".css", ".js"}]


def _dead_links(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.glob("*.html")):
        page = _parsed(file)
        for target in (*page.links, *page.loads):
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            to = file.parent / unquote(url.path) if url.path else file
            if not to.is_file():
                yield file, f"links to {target}, which there is not"
            elif url.fragment and to.suffix == ".html" and url.fragment not in _parsed(to).ids:
                yield file, f"links to {target}, an anchor that there is not"


def _other_hosts(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.glob("*.html")):
        yield from ((file, f"loads {of}") for of in _parsed(file).loads if urlsplit(of).netloc)
    for file in sorted(folder.rglob("*.css")):
        for found in OF_CSS.finditer(file.read_text("utf-8")):
            if urlsplit(found[1] or found[2]).netloc:
                yield file, f"loads {found[1] or found[2]}"


def _too_large(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted([*folder.glob("*.html"), *folder.glob("*.md")]):
        if (size := file.stat().st_size) > LARGEST:
            yield file, f"has {size:,} bytes, more than {LARGEST:,}"


def _dead_links_of_markdown(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted([*folder.glob("*.md"), folder / "llms.txt"]):
        for target in OF_MARKDOWN.findall(file.read_text("utf-8")):
            url = urlsplit(target)
            if not url.scheme and url.path and not (folder / unquote(url.path)).is_file():
                yield file, f"links to {target}, which there is not"


@cache
def _parsed(file: Path) -> _Page:
    return _Page(file.read_text("utf-8"))
