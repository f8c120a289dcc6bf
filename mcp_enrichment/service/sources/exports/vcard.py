"""vCards of versions 2.1, 3 and 4 (RFC 2426, 6350): their lines, unfolded, and their properties."""

from __future__ import annotations

import quopri
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = "BEGIN:VCARD"
_END = "END:VCARD"
SOCIAL = ("X-SOCIALPROFILE", "SOCIALPROFILE", "X-LINKEDIN")
KEPT = frozenset({"FN", "N", "ORG", "TITLE", "REV", "EMAIL", "URL", "X-URL", "X-ABLABEL", *SOCIAL})
"""The properties that are given; others, such as photos, are let go."""
MAX_UNFOLDED = 64 * 2**10
"""Characters of one property; what it has beyond them is let go."""
MAX_HEAD = 1000
"""Characters of its name and parameters."""
MAX_PROPERTIES = 1000
"""A card that has more is no card."""

_QUOTING = re.compile(r'((?:"[^"]*"|[^":])*):(.*)', re.DOTALL)
_HEAD = re.compile(r"(?:([\w-]+)\.)?([\w-]+)((?:;.*)?)", re.DOTALL)
_PARAMETER = re.compile(r";([^=;]*)=?([^;]*)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PRINTABLE = "QUOTED-PRINTABLE"


class Property(NamedTuple):
    """`item1.EMAIL;TYPE=WORK:ada@example.com`"""

    group: str
    name: str
    """In upper case."""
    words: frozenset[str]
    """All values of its parameters in lower case, such as `work`, whatever they are values of."""
    value: str
    """Decoded, still with its backslashes."""

    @property
    def text(self) -> str:
        """Its value without backslashes."""
        return unescaped(self.value)


def unescaped(value: str) -> str:
    """`a\\,b\\n` as the text that it stands for."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def cards(lines: Iterator[str]) -> Iterator[tuple[int, list[Property] | None]]:
    """Each card with the line that it begins at; None for one that has no end, or none in sight."""
    begun, card = 0, list[Property]()
    for number, line in _unfolded(lines):
        mark = line.strip().upper()
        if mark == BEGIN:
            if begun:
                yield begun, None
            begun, card = number, []
        elif mark == _END and begun:
            yield begun, card if len(card) <= MAX_PROPERTIES else None
            begun = 0
        elif begun and len(card) <= MAX_PROPERTIES and (found := _property(line)):
            card.append(found)
    if begun:
        yield begun, None


def _unfolded(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Whole lines, each with the number of its first one, from 1."""
    begins, whole = 1, ""
    for number, ended in enumerate(lines, start=1):
        line = ended.rstrip("\r\n")
        soft = whole.endswith("=") and _QUOTED_PRINTABLE in whole.partition(":")[0].upper()
        if soft or line[:1] in (" ", "\t"):
            if len(whole) < MAX_UNFOLDED:
                whole = whole[:-1] + line if soft else whole + line[1:]
            continue
        yield begins, whole
        begins, whole = number, line
    yield begins, whole


def _property(line: str) -> Property | None:
    head, colon, value = line.partition(":")
    if '"' in head:
        found = _QUOTING.fullmatch(line)
        head, value = found.groups() if found else ("", "")
    kind = _kind(head) if colon and len(head) <= MAX_HEAD else None
    if kind is None:
        return None
    value = _decoded(value, kind.charset) if kind.charset else value
    return Property(kind.group, kind.name, kind.words, value)


class _Kind(NamedTuple):
    group: str
    name: str
    words: frozenset[str]
    charset: str | None
    """Of a value in quoted-printable."""


@lru_cache(maxsize=1024)  # most cards of a file have the same ones
def _kind(head: str) -> _Kind | None:
    found = _HEAD.fullmatch(head.replace('"', ""))
    if found is None or found[2].upper() not in KEPT:
        return None
    given = _PARAMETER.findall(found[3])
    # In version 2.1 a value stands alone: EMAIL;WORK;QUOTED-PRINTABLE.
    words = [word.strip().lower() for name, value in given for word in (value or name).split(",")]
    charset = {name.upper(): value for name, value in given}.get("CHARSET", "utf-8")
    return _Kind(
        group=(found[1] or "").lower(),
        name=found[2].upper(),
        words=frozenset(words),
        charset=charset if _QUOTED_PRINTABLE.lower() in words else None,
    )


def _decoded(value: str, charset: str) -> str:
    octets = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return octets.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return octets.decode("cp1252", "replace")
