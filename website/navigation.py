"""The pages of the site, in the order of its navigation: security comes before set-up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site."""

    name: str
    """The name of its files: `install` has `install.html` and `install.md`."""
    about: str
    """Its content in a sentence, for `llms.txt` and search engines."""
    source: str | None = None
    """The path of its Markdown in the repository. Without one, it is generated from the code."""


HOME = Page(
    "index",
    "An MCP server that finds the work or personal email of a LinkedIn profile: final answers, "
    "never paid for twice, never invented.",
    "README.md",
)
SECTIONS = {
    "Before you start": [
        Page("security", "Who may attack, what holds, and what is not defended.", "SECURITY.md"),
        Page(
            "privacy",
            "What is stored about people and for how long; suppress, erase and export a person.",
            "docs/privacy.md",
        ),
    ],
    "Set up": [
        Page(
            "install",
            "Install the package, connect a chat client, keep the key, and find what is wrong.",
            "docs/install.md",
        ),
        Page(
            "contacts",
            "Import your own contacts from LinkedIn, HubSpot, Salesforce, Google and others.",
            "docs/contacts.md",
        ),
        Page("http", "One MCP server for a team, with keys or OAuth.", "docs/http.md"),
        Page("deploy", "Several processes on Postgres, and how to run them.", "deploy/README.md"),
    ],
    "Use": [
        Page("cookbook", "Ten complete recipes, from a CRM to a team.", "docs/cookbook.md"),
        Page("lists", "Look up a file of people at a terminal.", "docs/lists.md"),
        Page("app", "The table that a chat shows beside the answers.", "docs/app.md"),
        Page("library", "The asynchronous Python client.", "docs/library.md"),
        Page("console", "Pages in the browser for operators of the service.", "docs/console.md"),
    ],
    "Sources": [
        Page("sources", "The order of the sources, and which answer is given.", "docs/sources.md"),
        Page("vendors", "Paid vendors: limits, prices, how answers are read.", "docs/vendors.md"),
        Page("inference", "Guesses from the addresses of colleagues.", "docs/inference.md"),
    ],
    "Reference": [
        Page("settings", "Every environment variable, with its default."),
        Page("tools", "Every tool of the MCP server: arguments and answers."),
        Page("errors", "Every error: what happened, what it costs, and what to do."),
        Page("http-api", "Every route of the service, from its OpenAPI document."),
        Page("python-api", "Every public name of the Python package, from its docstrings."),
    ],
    "Project": [
        Page(
            "architecture",
            "The packages, the life of one request, and where each promise is kept.",
            "docs/architecture.md",
        ),
        Page(
            "reliability",
            "What is promised, how it is tested, and what is not covered.",
            "docs/reliability.md",
        ),
        Page("tracing", "OpenTelemetry spans from call to callback.", "docs/tracing.md"),
        Page("bench", "Every measured figure, and how to repeat it.", "bench/README.md"),
        Page("plan", "Which limit comes first at each load.", "deploy/plan.md"),
        Page("contributing", "Where a change goes, and the rules.", "CONTRIBUTING.md"),
        Page("release", "How a release is published and attested.", "packaging/README.md"),
        Page("changelog", "The changes of each version.", "CHANGELOG.md"),
    ],
}


def pages() -> list[Page]:
    """Every page, the home first."""
    return [HOME, *(page for section in SECTIONS.values() for page in section)]
