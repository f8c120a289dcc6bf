"""vCards of versions 2.1, 3 and 4 (RFC 2426, 6350): unfolded lines, and each card's properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.charset import in_characters
from mcp_enrichment.service.sources.exports.vcard_row import Property, parse_property

if TYPE_CHECKING:
    from collections.abc import Iterator


BEGIN = "BEGIN:VCARD"
END = "END:VCARD"
MAX_UNFOLDED = 64 * 2**10
"""Characters of one line. The rest is dropped."""

_BOM = "\ufeff"
_MARK = re.compile(r"\s*(BEGIN|END)\s*:\s*VCARD\s*", re.IGNORECASE)
_END_FIRST = re.compile(r"END\s*:\s*VCARD", re.IGNORECASE)
_BEGIN_LAST = re.compile(r"BEGIN\s*:\s*VCARD\s*\Z", re.IGNORECASE)
_QUOTED_PRINTABLE = "QUOTED-PRINTABLE"
MAX_PROPERTIES = 1000
"""A card with more is not valid."""
_AGENT = re.compile(r"(?:[\w-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)


def is_begin(line: str) -> bool:
    """Whether a card starts at the end of this line, maybe after the rest of another one."""
    return _BEGIN_LAST.search(line) is not None


def unfold_lines(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Each unfolded line with its first line number, from 1. `BEGIN` and `END` are normalized.

    A mark never continues a line, and a line never continues a mark, so that a truncated card ends
    where the next one starts.
    """
    begins, whole = 1, ""
    indent: str | None = ""
    for number, line, continues in _physical(lines):
        if line in (BEGIN, END) and not continues:
            yield begins, in_characters(whole)
            yield number, line
            # The next line has the indentation of this card.
            begins, whole, indent = number + 1, "", None if line == BEGIN else ""
            continue
        if indent is None and line:
            indent = line[: len(line) - len(line.lstrip(" \t"))]
        text = line.removeprefix(indent or "")
        soft = _is_soft(whole)
        if whole and (continues or soft or text[:1] in (" ", "\t")):
            if len(whole) < MAX_UNFOLDED:
                whole = _joined(whole, text, soft=soft, continues=continues)
        elif text:  # ignored if blank: some programs write a blank line after each line
            yield begins, in_characters(whole)
            begins, whole = number, text
    yield begins, in_characters(whole)


def _is_soft(whole: str) -> bool:
    return whole.endswith("=") and _QUOTED_PRINTABLE in whole.partition(":")[0].upper()


def _joined(whole: str, text: str, *, soft: bool, continues: bool) -> str:
    if continues:
        return whole + text
    return whole[:-1] + text if soft else whole + text[1:]


def _physical(lines: Iterator[str]) -> Iterator[tuple[int, str, bool]]:
    """The lines of the file, split at marks, and whether each continues one that is too long."""
    end, number = "\n", 0
    for line in lines:
        continues, before = not end, end
        text = line.rstrip("\r\n")
        end = line[len(text) :]
        number += not continues
        if before == "\r" and not text:
            continue  # CR CR LF is one line end, of text converted for Windows twice
        if continues:
            yield number, text, True
        else:
            yield from ((number, part, False) for part in _parts(text.lstrip(_BOM)))


def _parts(line: str) -> Iterator[str]:
    """A line, split if glued: `END:VCARDBEGIN:VCARD`, `EMAIL:ada@exBEGIN:VCARD`."""
    if mark := _MARK.fullmatch(line):
        yield BEGIN if mark[1].upper() == "BEGIN" else END
    elif ended := _END_FIRST.match(line):
        yield END
        yield from _parts(line[ended.end() :].lstrip(_BOM))
    elif begun := _BEGIN_LAST.search(line):
        yield line[: begun.start()].rstrip(_BOM)
        yield BEGIN
    else:
        yield line


def read_vcards(lines: Iterator[str]) -> Iterator[tuple[int, list[Property] | None]]:
    """Each card with its first line number; None for a card without an end, and for the rest of one
    without a start.
    """
    reader = _Reader()
    for number, line in unfold_lines(lines):
        yield from reader.take(number, line)
    yield from reader.cut()


class _Reader:
    """Assigns lines to cards: a property of another card is another person's."""

    def __init__(self) -> None:
        self._begun = 0
        """The first line of the open card, or 0."""
        self._card = list[Property]()
        self._nested = 0
        """The number of open cards of agents (vCard 2.1) inside it."""
        self._is_agent_next = False
        self._loose = 0
        """The first line of properties outside any card, or 0."""

    def take(self, number: int, line: str) -> Iterator[tuple[int, list[Property] | None]]:
        """The cards that this line ends."""
        if line == BEGIN:
            yield from self._begin(number)
        elif line == END:
            yield from self._end()
        elif not self._nested and (found := parse_property(line)):
            self._keep(number, found)
        if line.strip():
            self._is_agent_next = _AGENT.fullmatch(line) is not None

    def cut(self) -> Iterator[tuple[int, None]]:
        """The open card or properties, when another card starts or the file ends."""
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
        """Whether it is one card. Two versions mean two cards that lost the marks between them."""
        versions = sum(found.name == "VERSION" for found in self._card)
        return versions <= 1 and len(self._card) <= MAX_PROPERTIES
