"""Builds the site: gathers the pages, lets Sphinx build them, and writes them for models, too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from website import llms
from website.links import FILES, Links
from website.navigation import HOME, ROOT, SECTIONS, Page, pages
from website.reference import GENERATED

if TYPE_CHECKING:
    from pathlib import Path

STRICT = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet"]
SCREENS = """
## Screens

[The console](docs/console.md) shows a service to its operators:

![The overview: counts of lookups, and their outcomes and durations over a day](docs/console.png)

[A chat](docs/app.md) shows a list as a table, which fills by itself:

![40 people: found, not found, searching, not requested](docs/app.png)

[A terminal](docs/lists.md) shows what a list can cost, asks, and counts:

```text
━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸           183/250  found 121  missed 62  open 67  spent 121 00:09 left
```
"""
LEFT_OUT = ("## Settings\n", "## The tools\n", "## More\n")
"""Sections of the README that the home page does not need: pages of the site have more."""


def build(folder: Path) -> int:
    """Build the site into `html` of this folder, which is emptied; Sphinx's exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    source, html = folder / "source", folder / "html"
    source.mkdir(parents=True)
    links = Links()
    texts = {page.name: read(page, links) for page in pages()}
    for name, text in texts.items():
        shown = text + (contents() if name == HOME.name else "")
        (source / f"{name}.md").write_text(shown, "utf-8")
    copy(links.files, source)
    places = ["-c", ROOT / "website", "-d", folder / "doctrees", source, html]
    sphinx = [sys.executable, "-m", "sphinx", *STRICT, *places]
    if code := subprocess.run(sphinx, check=False).returncode:
        return code
    llms.write(texts, html)
    copy(links.files, html)
    return 0


def copy(files: set[str], folder: Path) -> None:
    """Copy these files of the repository: pictures, and what pages link to."""
    for file in files:
        target = folder / FILES / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, target)


def read(page: Page, links: Links) -> str:
    """The Markdown of the page, with the links of the site. Raises DeadLinkError."""
    if page.source is None:
        return GENERATED[page.name]()
    text = (ROOT / page.source).read_text("utf-8")
    return links.rewrite(home(text) if page == HOME else text, page.source)


def home(readme: str) -> str:
    """The README without the sections that pages of the site have, and with pictures."""
    first, *sections = readme.split("\n## ")
    kept = [f"## {section}" for section in sections if not f"## {section}".startswith(LEFT_OUT)]
    return "\n".join([first, *kept]) + SCREENS


def contents() -> str:
    """The navigation, for Sphinx."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n"
        + "\n".join(page.name for page in of_it)
        + "\n```\n"
        for section, of_it in SECTIONS.items()
    )
