"""Sphinx: the theme, and Markdown as its only source. `website/build.py` starts it."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[1]))  # Sphinx runs this file by its path

from pygments.lexers.special import TextLexer

from website.navigation import pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "mcp-enrichment"
extensions = ["myst_parser"]
myst_heading_anchors = 4
smartquotes = False  # texts are commands and answers, to be copied as they are
html_theme = "furo"  # both themes, no font or script of another host
html_title = project
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
pygments_dark_style = "github-dark"


AFTER_THE_THEME = 900
"""The priority of a handler that changes what the theme has written."""
FOCUSABLE = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}
"""Parts of a page that scroll in themselves: with a keyboard they scroll only in focus."""


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.add_lexer("csv", TextLexer)  # GitHub colours it, and Pygments knows no lexer for it
    app.connect("html-page-context", _complete, priority=AFTER_THE_THEME)


def _complete(
    _app: Sphinx, name: str, _template: str, context: dict[str, Any], document: object
) -> None:
    """Add the page's description, links to its Markdown, and what keyboards and readers need."""
    tree = context["furo_navigation_tree"]
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )
    if document is None:  # the page of the search
        return
    [about] = [page.about for page in pages() if page.name == name]
    context["metatags"] += (
        f'<meta name="description" content="{escape(about)}">'
        f'<link rel="alternate" type="text/markdown" href="{name}.md">'
    )
    context["body"] += f'<p class="twin"><a href="{name}.md">This page as Markdown</a></p>'
    for written, wanted in FOCUSABLE.items():
        context["body"] = context["body"].replace(written, wanted)
