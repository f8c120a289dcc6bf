"""vCards of versions 2.1, 3 and 4 (RFC 2426, 6350): each with its own properties, or unreadable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.vcard_lines import BEGIN, END, unfold_lines
from mcp_enrichment.service.sources.exports.vcard_property import Property, parse_property

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PROPERTIES = 1000
"""A card that has more is no card."""

_AGENT = re.compile(r"(?:[\w-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)


def read_vcards(lines: Iterator[str]) -> Iterator[tuple[int, list[Property] | None]]:
    """Each card with the line that it begins at; None for one that has no end, or none in sight,
    and for what is left of one that has no beginning.
    """
    reader = _Reader()
    for number, line in unfold_lines(lines):
        yield from reader.take(number, line)
    yield from reader.cut()


class _Reader:
    """Knows of which card a line is: a property of another one is another person's."""

    def __init__(self) -> None:
        self._begun = 0
        """The line at which the open card begins; 0 where none is open."""
        self._card = list[Property]()
        self._nested = 0
        """How many cards of agents (vCard 2.1) are open inside of it."""
        self._is_agent_next = False
        self._loose = 0
        """The line at which properties began that are of no card."""

    def take(self, number: int, line: str) -> Iterator[tuple[int, list[Property] | None]]:
        """The cards that end with this line."""
        if line == BEGIN:
            yield from self._begin(number)
        elif line == END:
            yield from self._end()
        elif not self._nested and (found := parse_property(line)):
            self._keep(number, found)
        if line.strip():
            self._is_agent_next = _AGENT.fullmatch(line) is not None

    def cut(self) -> Iterator[tuple[int, None]]:
        """What is open where another card begins, or the file ends."""
        if begun := self._begun or self._loose:
            yield begun, None

    def _begin(self, number: int) -> Iterator[tuple[int, None]]:
        if self._begun and self._is_agent_next:
            self._nested += 1
            return
        yield from self.cut()
        self._begun, self._card, self._nested, self._loose = number, [], 0, 0

    def _end(self) -> Iterator[tuple[int, list[Property] | None]]:
        if self._nested:
            self._nested -= 1
        elif self._begun:
            yield self._begun, self._card if self._is_one() else None
            self._begun = 0
        elif self._loose:
            yield self._loose, None
            self._loose = 0

    def _keep(self, number: int, found: Property) -> None:
        if not self._begun:
            self._loose = self._loose or number
        elif len(self._card) <= MAX_PROPERTIES:
            self._card.append(found)

    def _is_one(self) -> bool:
        """With two versions it is what two cards have become, without the marks between them."""
        versions = sum(found.name == "VERSION" for found in self._card)
        return versions <= 1 and len(self._card) <= MAX_PROPERTIES
