"""Rewrites the links of a page of the repository, so that they work on the site."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath

from website.navigation import ROOT, pages

LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]*)((?:#[^)\s]*)?)(?=\))")
"""The relative target of a Markdown link or picture: its path, and its anchor."""
FENCE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
"""Code, in which nothing is a link."""
MOVED = {
    ("README.md", "#settings"): "settings.md",
    ("README.md", "#the-tools"): "tools.md",
}
"""Sections that the home page leaves out, as a page of the site has more."""
FILES = "files"
"""The folder of the site for files that are no page: pictures, and what pages point to."""


class DeadLinkError(Exception):
    """A page links to a file that there is not, or to a document that is no page."""


class Links:
    """Rewrites links, and collects the files that they need."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        """Paths in the repository of the files that the site gets beside its pages."""
        self._pages = {page.source: f"{page.name}.md" for page in pages() if page.source}

    def rewrite(self, text: str, source: str) -> str:
        """The text of the page at this path, with links to pages and files of the site."""
        parts = FENCE.split(text)
        parts[::2] = [LINK.sub(lambda found: self._target(source, *found.groups()), part)
                      for part in parts[::2]]  # fmt: skip
        return "".join(parts)

    def _target(self, source: str, path: str, anchor: str) -> str:
        file = normpath(join(dirname(source), path))
        if (file, anchor) in MOVED:
            return MOVED[file, anchor]
        if file in self._pages:
            return self._pages[file] + anchor
        if not (ROOT / file).is_file():
            raise DeadLinkError(f"{source} links to {path}")
        if file.endswith(".md"):
            raise DeadLinkError(
                f"{source} links to {path}, which website/navigation.py does not list"
            )
        self.files.add(file)
        return f"{FILES}/{file}"
