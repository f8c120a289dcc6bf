"""One property of a vCard (RFC 6350, 3.3): its name, its parameters and its value."""

from __future__ import annotations

import quopri
import re
from functools import lru_cache
from typing import NamedTuple

from mcp_enrichment.service.sources.exports.charset import decoded

SOCIAL = ("X-SOCIALPROFILE", "SOCIALPROFILE", "X-SOCIAL-PROFILE", "X-PROFILE", "IMPP")
LINKEDIN = "LINKEDIN"
KEPT = frozenset(
    {"VERSION", "FN", "N", "ORG", "TITLE", "REV", "EMAIL", "URL", "X-URL", "X-ABLABEL", *SOCIAL}
)
"""The properties that are given, beside those with LinkedIn in their names; others, such as photos,
are let go."""
MAX_HEAD = 1000
"""Characters of its name and parameters."""
NO_PREFERENCE = 101
"""After all that a card can state."""

_QUOTING = re.compile(r'((?:"[^"]*"|[^":])*):(.*)', re.DOTALL)
_HEAD = re.compile(r"(?:([\w-]+)\.)?([\w-]+)\s*((?:;.*)?)", re.DOTALL)
_PARAMETER = re.compile(r';([^=;]*)=?((?:"[^"]*"|[^;"])*)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PRINTABLE = "quoted-printable"


class Property(NamedTuple):
    """`item1.EMAIL;TYPE=WORK;PREF=1:ada@example.com`"""

    group: str
    name: str
    """In upper case."""
    words: frozenset[str]
    """All values of its parameters in lower case, such as `work`, whatever they are values of."""
    types: frozenset[str]
    """Those of `TYPE` and of its like."""
    preference: int
    """From 1, the most preferred, to 100; `NO_PREFERENCE` where it has none."""
    user: str
    """The name of an account, which Apple writes beside its URL."""
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


def parse_property(line: str) -> Property | None:
    """The property of a whole line; None for one that is not kept, or is none."""
    head, colon, value = line.partition(":")
    if '"' in head:
        found = _QUOTING.fullmatch(line)
        head, value = found.groups() if found else ("", "")
    kind = _kind(head.strip()) if colon and len(head) <= MAX_HEAD else None
    if kind is None:
        return None
    if kind.charset:
        value = decoded(quopri.decodestring(value.encode("utf-8", "replace")), kind.charset)
    return kind.given._replace(value=value)


class _Kind(NamedTuple):
    given: Property
    charset: str | None
    """Of a value in quoted-printable."""


@lru_cache(maxsize=1024)  # most cards of a file have the same ones
def _kind(head: str) -> _Kind | None:
    found = _HEAD.fullmatch(head)
    if found is None or not _is_kept(found[2].upper()):
        return None
    parameters = [
        # In version 2.1 a value stands alone: EMAIL;WORK;QUOTED-PRINTABLE.
        (name.strip().upper() if value else "TYPE", (value or name).replace('"', ""))
        for name, value in _PARAMETER.findall(found[3])
    ]
    words = frozenset(word for _, value in parameters for word in _words(value))
    types = frozenset(
        word for name, value in parameters if name in ("TYPE", "LABEL") for word in _words(value)
    )
    named = dict(parameters)
    return _Kind(
        given=Property(
            group=(found[1] or "").lower(),
            name=found[2].upper(),
            words=words,
            types=types,
            preference=_preference(named.get("PREF", ""), types),
            user=named.get("X-USER", "").strip(),
            value="",
        ),
        charset=named.get("CHARSET", "utf-8") if _QUOTED_PRINTABLE in words else None,
    )


def _is_kept(name: str) -> bool:
    return name in KEPT or LINKEDIN in name


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(",")]


def _preference(stated: str, types: frozenset[str]) -> int:
    """By `PREF=1` to 100 (RFC 6350, 5.3), or by the older `TYPE=PREF`, which has no degrees."""
    if stated.isdecimal() and 1 <= int(stated) < NO_PREFERENCE:
        return int(stated)
    return 1 if "pref" in types else NO_PREFERENCE
