"""Normalizes a raw row to contacts, or to the reason to skip it."""

from __future__ import annotations

import re
import time
from itertools import chain
from typing import TYPE_CHECKING

from mcp_enrichment.contract.linkedin_url import ProfileURLError, URLProblem, canonical_profile_url
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.cells import clean_text, day_of, moment_of, split_name
from mcp_enrichment.service.sources.exports.email_address import (
    addresses_in,
    clean_email,
    email_type_of,
    is_masked,
)
from mcp_enrichment.service.sources.exports.records import Contact, Person, Skipped, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.service.sources.exports.records import RawEmail, RawRow


_REASONS = {
    URLProblem.NOT_A_PERSON: SkipReason.NOT_A_PERSON,
    URLProblem.SALES_NAVIGATOR: SkipReason.SALES_NAVIGATOR,
    URLProblem.RECRUITER: SkipReason.SALES_NAVIGATOR,
}
_BETWEEN_URLS = re.compile(r"""[\s;,|"()<>]+|:::""")
_MARKS_OF_A_URL = ("linkedin.com", "://")
"""A URL among addresses is of another row, which an unclosed quotation mark swallowed."""


def normalize_rows(
    rows: Iterator[tuple[int, RawRow | SkipReason]], *, written_at: float
) -> Iterator[Contact | Skipped]:
    """The contacts of each row, the main one first, and its skipped parts. A row has its first line
    number.

    `written_at`: the modification time of the file, for a row without one.
    """
    for line, raw in rows:
        if isinstance(raw, SkipReason):
            yield Skipped(reason=raw, line=line)
        else:
            yield from _normalize_row(raw, line, written_at)


def _normalize_row(raw: RawRow, line: int, written_at: float) -> Iterator[Contact | Skipped]:
    profile, lack = find_profile(raw.profiles)
    first, last = clean_text(raw.first_name), clean_text(raw.last_name)
    if not first and not last:
        first, last = split_name(clean_text(raw.full_name))
    company, seen_at = clean_text(raw.company), _seen_at(raw, written_at)
    if not raw.emails:
        person = None
        if profile:
            person = Person(
                profile=profile, first_name=first, last_name=last, company=company, seen_at=seen_at
            )
        yield Skipped(reason=SkipReason.NO_EMAIL, line=line, person=person)
        return
    found, reasons = _addresses(raw.emails)
    if lack and found:
        # Work addresses are kept: the patterns of companies are learned from them.
        found = {email: of for email, of in found.items() if of is EmailType.WORK}
        reasons.insert(0, lack)
    position = clean_text(raw.position)
    connected_on = day_of(raw.connected_on.strip()) if raw.connected_on else None
    for rank, (email, email_type) in enumerate(found.items()):
        yield Contact(
            profile=profile,
            email=email,
            email_type=email_type,
            first_name=first,
            last_name=last,
            company=company,
            position=position,
            connected_on=connected_on,
            seen_at=seen_at,
            rank=rank,
        )
    for reason in reasons if found else reasons[:1]:
        yield Skipped(reason=reason, line=line, is_part=bool(found))


def _seen_at(raw: RawRow, written_at: float) -> float:
    changed_at = raw.changed_at and moment_of(raw.changed_at.strip())
    # A time in the future comes from a wrong clock, and must not count as the newest.
    return min(changed_at, max(time.time(), written_at)) if changed_at else written_at


def _addresses(emails: Sequence[RawEmail]) -> tuple[dict[str, EmailType], list[SkipReason]]:
    hints: dict[str, EmailType | None] = {}
    defects = list[SkipReason]()
    for cell in emails:
        for email in _cleaned(cell.text):
            if defect := _defect(email, cell):
                defects.append(defect)
            elif email:
                hints[email] = hints.get(email) or cell.email_type
    return {email: hint or email_type_of(email) for email, hint in hints.items()}, defects


def _cleaned(text: str) -> list[str | None]:
    """The addresses of a cell; None for an invalid one."""
    email = clean_email(text)
    if email:
        return [email]
    if any(mark in text.lower() for mark in _MARKS_OF_A_URL):
        return [None]
    return [clean_email(part) for part in addresses_in(text)]


def _defect(email: str | None, cell: RawEmail) -> SkipReason | None:
    if cell.is_others:
        return SkipReason.SOMEBODY_ELSE
    if email is None:
        return SkipReason.BAD_EMAIL
    if is_masked(email):
        return SkipReason.MASKED
    return SkipReason.GUESSED if cell.is_doubtful else None


def find_profile(texts: Sequence[str]) -> tuple[str | None, SkipReason | None]:
    """The first profile of a person, or the most specific reason why there is none."""
    lack = None
    if any("\\:" in text for text in texts):  # as Google writes https\://
        texts = [text.replace("\\:", ":") for text in texts]
    for text in chain(texts, chain.from_iterable(map(_BETWEEN_URLS.split, texts))):
        if not text.strip():
            continue
        try:
            return canonical_profile_url(text), None
        except ProfileURLError as refusal:
            reason = _REASONS.get(refusal.kind, SkipReason.BAD_URL)
            lack = reason if lack in (None, SkipReason.BAD_URL) else lack
    return None, lack or SkipReason.NO_URL
