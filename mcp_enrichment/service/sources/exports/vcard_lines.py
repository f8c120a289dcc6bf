"""The lines of a file of vCards: whole ones, however the file was folded, glued or concatenated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.charset import in_characters

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = "BEGIN:VCARD"
END = "END:VCARD"
MAX_UNFOLDED = 64 * 2**10
"""Characters of one line; what it has beyond them is let go."""

_BOM = "\ufeff"
_MARK = re.compile(r"\s*(BEGIN|END)\s*:\s*VCARD\s*", re.IGNORECASE)
_END_FIRST = re.compile(r"END\s*:\s*VCARD", re.IGNORECASE)
_BEGIN_LAST = re.compile(r"BEGIN\s*:\s*VCARD\s*\Z", re.IGNORECASE)
_QUOTED_PRINTABLE = "QUOTED-PRINTABLE"


def is_begin(line: str) -> bool:
    """Whether a card begins with it; what stands before that may be the rest of another one."""
    return _BEGIN_LAST.search(line) is not None


def unfold_lines(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Each line with the number of its first one, from 1; `BEGIN` and `END` are spelled like that.

    No mark is ever taken for the continuation of a line, nor a line for that of a mark, so that a
    card that was cut off ends where the next one begins.
    """
    begins, whole = 1, ""
    indent: str | None = ""
    for number, line, continues in _physical(lines):
        if line in (BEGIN, END) and not continues:
            yield begins, in_characters(whole)
            yield number, line
            # The next line tells how far the lines of this card are indented.
            begins, whole, indent = number + 1, "", None if line == BEGIN else ""
            continue
        if indent is None and line:
            indent = line[: len(line) - len(line.lstrip(" \t"))]
        text = line.removeprefix(indent or "")
        soft = _is_soft(whole)
        if whole and (continues or soft or text[:1] in (" ", "\t")):
            if len(whole) < MAX_UNFOLDED:
                whole = _joined(whole, text, soft=soft, continues=continues)
        elif text:  # a blank line ends nothing: some programs write one after each line
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
    """Lines as they stand, marks apart; and whether each only goes on with one that is too long."""
    end, number = "\n", 0
    for line in lines:
        continues, before = not end, end
        text = line.rstrip("\r\n")
        end = line[len(text) :]
        number += not continues
        if before == "\r" and not text:
            continue  # CR CR LF is one end: text that was converted for Windows twice has it
        if continues:
            yield number, text, True
        else:
            yield from ((number, part, False) for part in _parts(text.lstrip(_BOM)))


def _parts(line: str) -> Iterator[str]:
    """A line, or several that were glued: `END:VCARDBEGIN:VCARD`, `EMAIL:ada@exBEGIN:VCARD`."""
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
