"""From a vCard's properties to the same texts as a row of a table has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.email_address import label_kind
from mcp_enrichment.service.sources.exports.linkedin_handle import profile_url_for
from mcp_enrichment.service.sources.exports.other_people import names_other_person
from mcp_enrichment.service.sources.exports.raw_row import RawEmail, RawRow
from mcp_enrichment.service.sources.exports.vcard_property import (
    LINKEDIN,
    SOCIAL,
    Property,
    unescaped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.contract.models import EmailType

_LINKEDIN = LINKEDIN.lower()
_SITES = (*SOCIAL, "URL", "X-URL")
_ACCOUNT_APART = ("", "x-apple:")
_COMPONENTS = re.compile(r"(?<!\\);")


def to_raw_row(card: Sequence[Property]) -> RawRow:
    """A card's texts; the most preferred address is the main one."""
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
    return next((kind for hint in hints if (kind := label_kind(hint))), None)
