"""The table of the documents: each program that these tests start, and what is seen of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.setup.clients import CLIENTS
from tests.compat.chat_clients import CHAT_PROGRAMS
from tests.compat.frameworks import FRAMEWORKS
from tests.compat.hosts import HOSTS
from tests.compat.judges import JUDGES

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIREMENT = re.compile(r"(@?[a-z][\w./-]*(?:\[\w+\])?)(?:@|(?===|[<>~]))([~<>=\d][\w.,<>=~-]*)")
"""A package and its versions, as npm or pip takes them."""
ANSWERED = "listed every tool, answered"


def tried_table() -> str:
    head = ["| program | package | versions | what was seen |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in _rows())])


def package_and_versions(requirement: str) -> tuple[str, str]:
    """The two halves of a requirement. Raises `ValueError` if it is none."""
    found = REQUIREMENT.fullmatch(requirement)
    if not found:
        raise ValueError(requirement)
    return found[1], found[2]


def _rows() -> Iterator[tuple[str, ...]]:
    for chat in CHAT_PROGRAMS:
        title = CLIENTS[chat.client].title
        yield title, *_cells(chat.package), f"{ANSWERED}, after `setup {chat.client}`"
    for host in HOSTS:
        cells = _cells(host.packages[0]) if host.packages else ("`mcp`", "the server's own")
        yield f"SDK {host}", *cells, f"{ANSWERED}, over stdio and HTTP, in {host.speaks}"
    for framework in FRAMEWORKS:
        yield framework.title, *_cells(framework.requirement), ANSWERED
    for name, (requirement, seen) in JUDGES.items():
        yield name, *_cells(requirement), seen


def _cells(requirement: str) -> tuple[str, str]:
    package, versions = package_and_versions(requirement)
    return f"`{package}`", f"`{versions}`"
