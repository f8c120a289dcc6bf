"""Generates from the code: tables and links of the documents, store listings, tool snapshots.

`python3 tasks.py docs` rewrites them.
"""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_enrichment.contract import errors
from mcp_enrichment.mcp.tools import TOOLS, Tool
from mcp_enrichment.service.sources.factory import NAMES, vendor_class
from mcp_enrichment.settings import Settings
from tests.compat.tried import tried_table
from tests.mcp.rewrite_snapshots import rewrite
from tests.support import package_listings
from tests.support.client_picker import client_picker

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.vendors.base import HTTPVendor

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SCHEMAS = ROOT / "tests" / "service" / "sources" / "vendors" / "schemas"
PAGES = (
    README,
    *(
        ROOT / "docs" / f"{page}.md"
        for page in ("http", "install", "library", "privacy", "sources", "vendors")
    ),
)
OF_HTTP = ("public_url", "server_card_", "ai_catalog_", "http_", "push_", "oauth_")
"""Prefixes of the settings of MCP over HTTP."""
OF_PRIVACY = ("answer_", "contact_", "privacy_")
"""Prefixes of the settings on how long personal data is kept."""
OF_SOURCES = ("sources", "source_limits", "check_mx", "stop_", "prices", "currency")
"""Prefixes of the settings of the sources."""
PUBLISHED = {
    ROOT / "server.json": package_listings.server_json,
    ROOT / "packaging" / "mcpb" / "manifest.json": package_listings.manifest,
    ROOT
    / "packaging"
    / "claude-plugin"
    / ".claude-plugin"
    / "plugin.json": package_listings.plugin,
    ROOT / ".claude-plugin" / "marketplace.json": package_listings.marketplace,
}
SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def tools_table() -> str:
    rows = [f"| `{tool.name}` | {_arguments(tool)} | {_first_sentence(tool)} |" for tool in TOOLS]
    return "\n".join(["| tool | arguments | what it does |", "|---|---|---|", *rows])


def settings_table(*prefixes: str) -> str:
    """The settings with these prefixes; without prefixes, the settings that no other page has."""
    rows = [
        f"| `ENRICHMENT_{name.upper()}` | {field.description} | {_default(name)} |"
        for name, field in Settings.model_fields.items()
        if name.startswith(prefixes or (*OF_HTTP, *OF_PRIVACY, *OF_SOURCES)) is bool(prefixes)
    ]
    return "\n".join(["| variable | what it does | default |", "|---|---|---|", *rows])


def errors_table() -> str:
    rows = [
        f"| `{kind.code}` | `{kind.__name__}` | {_yes(kind.retryable)} | {_may_have_cost(kind)} |"
        for kind in sorted(_errors(), key=lambda kind: kind.code)
    ]
    head = ["| code | class | transient | may have cost a credit |", "|---|---|---|---|"]
    return "\n".join(
        [*head, *rows, "| `storage_…` | `StorageFailed` | `error.retryable` says | no |"]
    )


def _may_have_cost(kind: type[errors.EnrichmentError]) -> str:
    """Whether this error, or a subclass with the same code, may have cost a credit.

    Only errors of the contract count: the MCP server has further ones, which the library never
    raises.
    """
    same = [one for one in _contract_errors() if issubclass(one, kind) and one.code == kind.code]
    return "yes" if any(one.charged is not False for one in same) else "no"


def vendors_table() -> str:
    head = [
        "| name | addresses | credits for one | limit | answers | lost answer | run with a key |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_vendor_row(vendor_class(name)) for name in sorted(NAMES))])


def vendor_notes() -> str:
    """The docstring of each vendor's module."""
    modules = (sys.modules[vendor_class(name).__module__] for name in sorted(NAMES))
    return "\n".join(f"- {' '.join((module.__doc__ or '').split())}" for module in modules)


def vendor_schemas() -> str:
    """The document of each vendor from which its schema is written."""
    rows = [
        f"| `{name}` | {known['source']} | {known.get('date', 'not stated')} | {known['read']} |"
        for name in sorted(NAMES)
        for known in [json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))]
    ]
    return "\n".join(["| name | document | its date | read on |", "|---|---|---|---|", *rows])


TABLES = {
    "tools": tools_table,
    "settings": settings_table,
    "http": partial(settings_table, *OF_HTTP),
    "privacy": partial(settings_table, *OF_PRIVACY),
    "sources": partial(settings_table, *OF_SOURCES),
    "errors": errors_table,
    "links": package_listings.links_list,
    "clients": client_picker,
    "tried": tried_table,
    "vendors": vendors_table,
    "vendor_notes": vendor_notes,
    "vendor_schemas": vendor_schemas,
}


def with_tables(page: str) -> str:
    """The page with its generated sections up to date."""
    return SECTION.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", page)


def as_file(value: object) -> str:
    """The text of the file for a published entry."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _arguments(tool: Tool) -> str:
    return ", ".join(f"`{name}`" for name in tool.arguments.model_fields) or "none"


def _first_sentence(tool: Tool) -> str:
    return f"{tool.description.split('. ')[0].rstrip('.')}."


def _default(name: str) -> str:
    folders = {"data_dir": "the user's data folder", "state_dir": "the user's state folder"}
    default = Settings.model_fields[name].default
    if default is None or default in ((), {}):
        return "unset"
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return folders.get(name) or f"`{shown.lower() if isinstance(default, bool) else shown}`"


def _errors() -> list[type[errors.EnrichmentError]]:
    """The errors of the contract that have their own code."""
    return [
        kind for kind in _contract_errors() if "code" in vars(kind) and "explanation" in vars(kind)
    ]


def _contract_errors() -> list[type[errors.EnrichmentError]]:
    every = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in every if issubclass(kind, errors.EnrichmentError)]


def _vendor_row(kind: type[HTTPVendor]) -> str:
    prices = {of.value: f"{price:g}" for of, price in kind.prices.items()}
    differ = len(set(prices.values())) > 1
    shown = (
        [f"{price} ({of})" for of, price in prices.items()] if differ else [*prices.values()][:1]
    )
    limits = [
        *([f"{kind.limit.at_once} at once"] if kind.limit.at_once else []),
        *([f"{kind.limit.per_second:g} a second"] if kind.limit.per_second else []),
    ]
    cells = [
        f"`{kind.name}`",
        ", ".join(prices),
        ", ".join(shown),
        ", ".join(limits),
        f"in about {kind.poll_after:g} s or later" if kind.poll_after else "at once",
        "requested again" if kind.idempotent_billing else "stays lost",
        kind.verified_on or "*unverified*",
    ]
    return f"| {' | '.join(cells)} |"


def _yes(answer: bool | None) -> str:
    return "no" if answer is False else "yes"


if __name__ == "__main__":
    rewrite()
    for page in PAGES:
        page.write_text(with_tables(page.read_text("utf-8")), "utf-8")
    for file, entry in PUBLISHED.items():
        file.write_text(as_file(entry()), "utf-8")
