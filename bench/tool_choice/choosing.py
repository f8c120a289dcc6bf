"""The tasks, our tools, the words by which both are compared, and BM25 with recorded statistics."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.tool_choice.listing import listed
from bench.tool_choice.ranking import K1, B
from mcp_enrichment.mcp.server import LISTED
from mcp_enrichment.setup.clients import ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).parent
STATISTICS = FOLDER / "bm25.json"
RIGHT: dict[str, set[str]] = {
    "one": {"request_email_enrichment"},
    "many": {"request_email_enrichments"},
    "later": {"wait_for_enrichment", "get_enrichment"},
    "credits": {"get_credits"},
    "none": set(),
}
"""The right tools of ours for each kind of task."""
SHOWN = 3
"""Tools that a host shows the model, at least."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_NO_WORDS = {
    *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it"),
    *("of", "on", "or", "that", "the", "this", "to", "with"),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a user asks."""

    kind: str
    text: str
    held_out: bool
    """Whether our texts were written without a look at it: every second task of a kind."""


def tasks() -> list[Task]:
    """All tasks in the order of the file."""
    found: list[Task] = []
    seen: dict[str, int] = {}
    for line in (FOLDER / "tasks.tsv").read_text("utf-8").splitlines():
        kind, text = line.split("\t")
        seen[kind] = seen.get(kind, 0) + 1
        found.append(Task(kind=kind, text=text, held_out=seen[kind] % 2 == 0))
    return found


def our_tools() -> list[dict[str, Any]]:
    """Our tools as hosts know them; the server has the name that `setup` writes."""
    return [vars(listed(ENTRY, tool)) for tool in LISTED.tools]


def text_of(tool: dict[str, Any]) -> str:
    """All that a host searches: the names of server and tool, the description, the arguments."""
    arguments = [f"{name} {described}" for name, described in tool["arguments"].items()]
    return " ".join([f"{tool['server']} {tool['name']}.", tool["description"], *arguments])


def words(text: str) -> list[str]:
    """The words of a text in lower case, parts of names as words of their own."""
    split = _WORD.findall(_CAMEL.sub(" ", text))
    return [word for word in map(str.lower, split) if word not in _NO_WORDS]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """All that a score of BM25 depends on beside the text itself."""

    tools: int
    length: float
    """Mean number of words of a tool."""
    tools_with: dict[str, int]
    """The number of tools that have the word; only words of tasks."""
    others: list[float]
    """For each task the score of the third best among the tools of others."""

    def score(self, task: Iterable[str], tool: Sequence[str]) -> float:
        """Lucene's form of BM25."""
        sum_ = 0.0
        for word in task:
            having, times = self.tools_with.get(word, 0), tool.count(word)
            rarity = math.log(1 + (self.tools - having + 0.5) / (having + 0.5))
            sum_ += rarity * times / (times + K1 * (1 - B + B * len(tool) / self.length))
        return sum_


def recorded() -> Statistics:
    """The statistics of the last run of the benchmark with `--record`."""
    return Statistics(**json.loads(STATISTICS.read_text("utf-8")))
