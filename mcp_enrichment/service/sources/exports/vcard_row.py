"""The properties of a vCard, and the raw row that they make."""

from __future__ import annotations

import quopri
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.charset import decoded
from mcp_enrichment.service.sources.exports.email_address import email_type_of_label
from mcp_enrichment.service.sources.exports.profile_cells import names_other_person, profile_url_for
from mcp_enrichment.service.sources.exports.records import RawEmail, RawRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.contract.models import EmailType


SOCIAL = ("X-SOCIALPROFILE", "SOCIALPROFILE", "X-SOCIAL-PROFILE", "X-PROFILE", "IMPP")
LINKEDIN = "LINKEDIN"
KEPT = frozenset(
    {"VERSION", "FN", "N", "ORG", "TITLE", "REV", "EMAIL", "URL", "X-URL", "X-ABLABEL", *SOCIAL}
)
"""The properties that are kept, besides those with LinkedIn in their names. Others, such as photos,
are dropped."""
MAX_HEAD = 1000
"""Characters of the name and the parameters."""
NO_PREFERENCE = 101
"""Greater than any stated preference."""

_QUOTING = re.compile(r'((?:"[^"]*"|[^":])*):(.*)', re.DOTALL)
_HEAD = re.compile(r"(?:([\w-]+)\.)?([\w-]+)\s*((?:;.*)?)", re.DOTALL)
_PARAMETER = re.compile(r';([^=;]*)=?((?:"[^"]*"|[^;"])*)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PRINTABLE = "quoted-printable"
_LINKEDIN = LINKEDIN.lower()
_SITES = (*SOCIAL, "URL", "X-URL")
_ACCOUNT_APART = ("", "x-apple:")
_COMPONENTS = re.compile(r"(?<!\\);")


class Property(NamedTuple):
    """`item1.EMAIL;TYPE=WORK;PREF=1:ada@example.com`"""

    group: str
    name: str
    """In upper case."""
    words: frozenset[str]
    """The values of all parameters in lower case, such as `work`."""
    types: frozenset[str]
    """The values of `TYPE` and `LABEL`."""
    preference: int
    """From 1, the most preferred, to 100; `NO_PREFERENCE` if it has none."""
    user: str
    """The account name, which Apple writes beside its URL."""
    value: str
    """Decoded, with backslash escapes."""

    @property
    def text(self) -> str:
        """The value without escapes."""
        return unescaped(self.value)


def unescaped(value: str) -> str:
    """Resolve the escapes of `a\\,b\\n`."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def parse_property(line: str) -> Property | None:
    """The property of an unfolded line; None if it is not kept, or not a property."""
    head, colon, value = line.partition(":")
    if '"' in head:
        found = _QUOTING.fullmatch(line)
        head, value = found.groups() if found else ("", "")
    parsed = _parse_head(head.strip()) if colon and len(head) <= MAX_HEAD else None
    if parsed is None:
        return None
    if parsed.charset:
        value = decoded(quopri.decodestring(value.encode("utf-8", "replace")), parsed.charset)
    return parsed.given._replace(value=value)


class _Head(NamedTuple):
    given: Property
    charset: str | None
    """The charset of a quoted-printable value."""


@lru_cache(maxsize=1024)  # the cards of a file have the same heads
def _parse_head(head: str) -> _Head | None:
    found = _HEAD.fullmatch(head)
    if found is None or not _is_kept(found[2].upper()):
        return None
    parameters = [
        # Version 2.1 has values without names: EMAIL;WORK;QUOTED-PRINTABLE.
        (name.strip().upper() if value else "TYPE", (value or name).replace('"', ""))
        for name, value in _PARAMETER.findall(found[3])
    ]
    words = frozenset(word for _, value in parameters for word in _words(value))
    types = frozenset(
        word for name, value in parameters if name in ("TYPE", "LABEL") for word in _words(value)
    )
    named = dict(parameters)
    return _Head(
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
    """By `PREF=1` to 100 (RFC 6350, 5.3), or by the older `TYPE=PREF`."""
    if stated.isdecimal() and 1 <= int(stated) < NO_PREFERENCE:
        return int(stated)
    return 1 if "pref" in types else NO_PREFERENCE


def to_raw_row(card: Sequence[Property]) -> RawRow:
    """The raw row of a card. The most preferred address is the main one."""
    labels = {p.group: p.text for p in card if p.name == "X-ABLABEL" and p.group}
    last, first = (*_parts(card, "N"), "", "")[:2]
    emails = [p for p in card if p.name == "EMAIL" and p.value.strip()]
    emails.sort(key=lambda p: p.preference)
    return RawRow(
        first_name=first,
        last_name=last,
        full_name=_text(card, "FN"),
        company=next(iter(_parts(card, "ORG")), ""),
        position=_text(card, "TITLE"),
        connected_on="",
        changed_at=_text(card, "REV"),
        profiles=list(_profiles(card, labels)),
        emails=[
            RawEmail(p.text, _kind(p, labels), is_others=_is_others(p, labels)) for p in emails
        ],
    )


def _text(card: Sequence[Property], name: str) -> str:
    return next((p.text for p in card if p.name == name), "")


def _parts(card: Sequence[Property], name: str) -> list[str]:
    value = next((p.value for p in card if p.name == name), "")
    return [unescaped(part) for part in _COMPONENTS.split(value)]


def _profiles(card: Sequence[Property], labels: dict[str, str]) -> Iterator[str]:
    for p in card:
        if (p.name not in _SITES and LINKEDIN not in p.name) or _is_others(p, labels):
            continue
        label = labels.get(p.group, "").lower()
        if LINKEDIN in p.name or _LINKEDIN in p.words or _LINKEDIN in label:
            yield profile_url_for(p.text if p.text.strip() not in _ACCOUNT_APART else p.user)
        elif "linkedin." in p.value.lower():
            yield p.text


def _is_others(p: Property, labels: dict[str, str]) -> bool:
    return any(map(names_other_person, (p.name, labels.get(p.group, ""), *p.types)))


def _kind(email: Property, labels: dict[str, str]) -> EmailType | None:
    hints = (labels.get(email.group, ""), *sorted(email.types))
    return next((email_type for hint in hints if (email_type := email_type_of_label(hint))), None)
