"""From a vCard's properties to the same texts as a row of a table has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.mailbox import kind_of_label
from mcp_enrichment.service.sources.exports.raw import Raw, RawEmail
from mcp_enrichment.service.sources.exports.vcard import SOCIAL, Property, unescaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.contract.models import EmailType

_LINKEDIN = "linkedin"
_SITES = (*SOCIAL, "URL", "X-URL")
_PREFERRED = frozenset({"pref", "1"})
_COMPONENTS = re.compile(r"(?<!\\);")


def raw_of(card: Sequence[Property]) -> Raw:
    """A card's texts; the preferred address is the main one."""
    labels = {p.group: p.text for p in card if p.name == "X-ABLABEL" and p.group}
    last, first = (*_parts(card, "N"), "", "")[:2]
    emails = [p for p in card if p.name == "EMAIL" and p.value.strip()]
    emails.sort(key=lambda p: _PREFERRED.isdisjoint(p.words))
    return Raw(
        first_name=first,
        last_name=last,
        full_name=_text(card, "FN"),
        company=next(iter(_parts(card, "ORG")), ""),
        position=_text(card, "TITLE"),
        connected_on="",
        changed_at=_text(card, "REV"),
        profiles=list(_profiles(card, labels)),
        emails=[RawEmail(p.text, _kind(p, labels)) for p in emails],
    )


def _text(card: Sequence[Property], name: str) -> str:
    return next((p.text for p in card if p.name == name), "")


def _parts(card: Sequence[Property], name: str) -> list[str]:
    value = next((p.value for p in card if p.name == name), "")
    return [unescaped(part) for part in _COMPONENTS.split(value)]


def _profiles(card: Sequence[Property], labels: dict[str, str]) -> Iterator[str]:
    for p in card:
        if p.name not in _SITES:
            continue
        label = labels.get(p.group, "").lower()
        named = p.name == "X-LINKEDIN" or _LINKEDIN in p.words or _LINKEDIN in label
        if named or "linkedin.com" in p.value.lower():
            yield p.text


def _kind(email: Property, labels: dict[str, str]) -> EmailType | None:
    hints = (labels.get(email.group, ""), *sorted(email.words))
    return next((kind for hint in hints if (kind := kind_of_label(hint))), None)
