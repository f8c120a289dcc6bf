"""Column maps: how a table is recognised, and which columns hold what. The user may name them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Iterable


Titles = tuple[str, ...]
"""Folded titles of columns. For a single value, the first one that a file has counts."""


def fold_title(title: str) -> str:
    """A title in lower case with single spaces, for comparison."""
    return " ".join(title.split()).casefold()


class EmailColumn(NamedTuple):
    """A column of addresses."""

    title: str
    email_type: EmailType | None = None
    """The type of its addresses, by its title."""
    labels: Titles = ()
    """The titles of the column with the type of each address."""
    status: str = ""
    """The title of the column that marks guessed addresses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMap:
    """The columns of one program's table. All titles are folded."""

    name: str
    """The source of each contact."""
    signatures: tuple[frozenset[str], ...]
    """A header with all titles of any of these sets is of this format."""
    emails: tuple[EmailColumn, ...]
    profiles: Titles
    """Columns of profile URLs. Any other value in them is reported."""
    websites: Titles = ()
    """Columns of sites, which may include the profile URL."""
    first_name: Titles = ("first name", "firstname")
    last_name: Titles = ("last name", "lastname")
    full_name: Titles = ("name", "full name")
    company: Titles = ("company",)
    position: Titles = ("title", "job title")
    connected_on: Titles = ()
    changed_at: Titles = ()
    """The time of the last change of the row, or of the last verification of its address."""


def signatures(*alternatives: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Sets of titles, each of which identifies a format."""
    return tuple(frozenset(titles) for titles in alternatives)


WORK, PERSONAL = EmailType.WORK, EmailType.PERSONAL
OTHER_EMAILS = (
    EmailColumn("work email", WORK),
    EmailColumn("work_email", WORK),
    EmailColumn("business email", WORK),
    EmailColumn("personal email", PERSONAL),
    EmailColumn("personal_email", PERSONAL),
    EmailColumn("primary email"),
    EmailColumn("alternate email"),
    EmailColumn("other email"),
)
"""Columns of addresses that people and programs add to a program's own."""
PROFILES: Titles = (
    *("linkedin url", "linkedin profile url", "linkedin profile", "linkedin"),
    *("hs_linkedin_url", "linkedin_personal_url", "linkedin contact profile url"),
    *("linkedin_profile__c", "linkedin_url__c", "linkedin__c", "contact linkedin url"),
    *("linkedin_profile__pc", "linkedin_url__pc", "linkedin__pc", "primary linkedin"),
    *("person linkedin url", "linkedin_url", "linkedinurl", "linkedinprofileurl"),
    *("profile url", "profileurl"),
)
"""Columns that people and programs add for the profile URL, without those of other URLs (`Company
Linkedin Url`)."""


_EMAILS = {"email": None, "work_email": WORK, "personal_email": PERSONAL}
FIELDS = (
    *("url", *_EMAILS),
    *("first_name", "last_name", "name", "company", "position", "date"),
)
"""The fields that a column can be mapped to."""


class InvalidColumnMap(ValueError):
    """The mapping is invalid. The message is a sentence."""


def parse_column_map(texts: Iterable[str]) -> ColumnMap | None:
    """Parse texts such as `url=Profile,email=Mail`; None for no text.

    A pair whose title contains a comma is quoted. Raises `InvalidColumnMap`.
    """
    pairs = [_pair(part) for text in texts for part in _parts(text)]
    if not pairs:
        return None
    if not any(field in _EMAILS for field, _ in pairs):
        raise InvalidColumnMap("it names no column of addresses: add email=COLUMN")

    def titles(field: str) -> Titles:
        return tuple(title for named, title in pairs if named == field)

    return ColumnMap(
        name="csv",
        signatures=signatures(title for _, title in pairs),
        profiles=titles("url"),
        emails=tuple(EmailColumn(title, _EMAILS[f]) for f, title in pairs if f in _EMAILS),
        first_name=titles("first_name"),
        last_name=titles("last_name"),
        full_name=titles("name"),
        company=titles("company"),
        position=titles("position"),
        changed_at=titles("date"),
    )


def _parts(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _pair(text: str) -> tuple[str, str]:
    field, equals, title = text.partition("=")
    if not equals or field.strip() not in FIELDS or not fold_title(title):
        raise InvalidColumnMap(f"each part is FIELD=COLUMN, with one of {', '.join(FIELDS)}")
    return field.strip(), fold_title(title)
