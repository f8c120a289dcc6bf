"""vCards of versions 2.1, 3 and 4 (RFC 2426, 6350), read into the raw row of each.

Lines are unfolded, then assigned to cards, then parsed as properties.
"""

from __future__ import annotations

import quopri
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.service.sources.exports.cells import names_other_person, profile_url_for
from mcp_enrichment.service.sources.exports.email_address import email_type_of_label
from mcp_enrichment.service.sources.exports.open_text import decoded, in_characters
from mcp_enrichment.service.sources.exports.records import RawEmail, RawRow, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.contract.models import EmailType


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
_LINKEDIN = LINKEDIN.lower()
_SITES = (*SOCIAL, "URL", "X-URL")
_ACCOUNT_APART = ("", "x-apple:")
_COMPONENTS = re.compile(r"(?<!\\);")


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


def read_vcards(lines: Iterator[str]) -> Iterator[tuple[int, RawRow | SkipReason]]:
    """Each card with its first line number. A card without an end, and the rest of one without a
    start, are unreadable: a property of another card is another person's.
    """
    begun = 0
    """The first line of the open card, or of properties outside any card; or 0."""
    card: list[Property] | None = None
    for number, line in _without_agents(unfold_lines(lines)):
        if line in (BEGIN, END):
            if begun:
                is_whole = line == END and _is_one(card)
                yield begun, _to_raw_row(card or ()) if is_whole else SkipReason.UNREADABLE
            begun, card = (number, []) if line == BEGIN else (0, None)
        elif found := parse_property(line):
            begun = begun or number
            if card is not None and len(card) <= MAX_PROPERTIES:
                card.append(found)
    if begun:
        yield begun, SkipReason.UNREADABLE


def _without_agents(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines without the cards of agents (vCard 2.1) inside other cards."""
    depth, is_agent_next = 0, False
    for number, line in lines:
        if line == BEGIN:
            depth = depth + 1 if depth and is_agent_next else 1
        if depth <= 1:
            yield number, line
        if line == END:
            depth = max(depth - 1, 0)
        if line.strip():
            is_agent_next = _AGENT.fullmatch(line) is not None


def _is_one(card: list[Property] | None) -> bool:
    """Whether it is one card. Two versions mean two cards that lost the marks between them."""
    if card is None or len(card) > MAX_PROPERTIES:
        return False
    return sum(found.name == "VERSION" for found in card) <= 1


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
    charset: str | None
    """The charset of a quoted-printable value."""
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
    return parsed._replace(value=value)


@lru_cache(maxsize=1024)  # the cards of a file have the same heads
def _parse_head(head: str) -> Property | None:
    """The property without its value."""
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    name = found[2].upper()
    if name not in KEPT and LINKEDIN not in name:
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
    return Property(
        group=(found[1] or "").lower(),
        name=name,
        words=words,
        types=types,
        preference=_preference(named.get("PREF", ""), types),
        user=named.get("X-USER", "").strip(),
        charset=named.get("CHARSET", "utf-8") if _QUOTED_PRINTABLE.lower() in words else None,
        value="",
    )


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(",")]


def _preference(stated: str, types: frozenset[str]) -> int:
    """By `PREF=1` to 100 (RFC 6350, 5.3), or by the older `TYPE=PREF`."""
    if stated.isdecimal() and 1 <= int(stated) < NO_PREFERENCE:
        return int(stated)
    return 1 if "pref" in types else NO_PREFERENCE


def _to_raw_row(card: Sequence[Property]) -> RawRow:
    """The raw row of a card. The most preferred address is the main one."""
    first_of = {p.name: p for p in reversed(card)}
    labels = {p.group: p.text for p in card if p.name == "X-ABLABEL" and p.group}

    def text(name: str) -> str:
        return first_of[name].text if name in first_of else ""

    def components(name: str) -> list[str]:
        value = first_of[name].value if name in first_of else ""
        return [unescaped(part) for part in _COMPONENTS.split(value)]

    last, first = (*components("N"), "")[:2]
    emails = [p for p in card if p.name == "EMAIL" and p.value.strip()]
    return RawRow(
        first_name=first,
        last_name=last,
        full_name=text("FN"),
        company=components("ORG")[0],
        position=text("TITLE"),
        connected_on="",
        changed_at=text("REV"),
        profiles=list(_profiles(card, labels)),
        emails=[
            RawEmail(p.text, _kind(p, labels), is_others=_is_others(p, labels))
            for p in sorted(emails, key=lambda p: p.preference)
        ],
    )


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
