"""The site for language models: `llms.txt`, `llms-full.txt`, and the Markdown of each page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from website.navigation import HOME, SECTIONS, pages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write the files for pages with these texts, by name, to the folder."""
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    whole = "\n\n".join(f"<!-- {page.name}.md -->\n\n{texts[page.name]}" for page in pages())
    (folder / "llms-full.txt").write_text(whole, "utf-8")
    (folder / "llms.txt").write_text(index(texts), "utf-8")


def index(texts: Mapping[str, str]) -> str:
    """The list of all pages, as llmstxt.org specifies it."""
    lines = [f"# {title(texts[HOME.name])}", "", f"> {HOME.about}"]
    for section, of_it in {"Start": [HOME], **SECTIONS}.items():
        lines += ["", f"## {section}", ""]
        lines += [f"- [{title(texts[p.name])}]({p.name}.md): {p.about}" for p in of_it]
    return "\n".join([*lines, ""])


def title(text: str) -> str:
    """The page's first heading."""
    return text.removeprefix("# ").partition("\n")[0]
