"""What an export of one program is known by, and which of its columns hold what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Iterable

Titles = tuple[str, ...]
"""Titles of columns, folded. Where one value is wanted, the first one that a file has counts."""


def fold_title(title: str) -> str:
    """A title as titles are compared: its words in lower case."""
    return " ".join(title.split()).casefold()


class EmailColumn(NamedTuple):
    """A column of addresses, the main one first."""

    title: str
    kind: EmailType | None = None
    """What the column's title says of its addresses."""
    labels: Titles = ()
    """The titles of the column that says the kind of each."""
    status: str = ""
    """The title of the column that says whether they are guessed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMap:
    """One program's table. All titles are folded."""

    name: str
    """Kept beside each contact as its provenance."""
    signatures: tuple[frozenset[str], ...]
    """A header that has all titles of any of these is of this format."""
    emails: tuple[EmailColumn, ...]
    profiles: Titles
    """Columns made for the profile's URL: what else stands in them is told."""
    websites: Titles = ()
    """Columns in which the profile's URL may stand among other sites."""
    first_name: Titles = ("first name", "firstname")
    last_name: Titles = ("last name", "lastname")
    full_name: Titles = ("name", "full name")
    company: Titles = ("company",)
    position: Titles = ("title", "job title")
    connected_on: Titles = ()
    changed_at: Titles = ()
    """When the program last changed the row, or saw its address to work."""


def signatures(*alternatives: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Any of these sets of titles tells a format."""
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
"""Columns that people and programs add to the addresses that a program has by itself."""
PROFILES: Titles = (
    *("linkedin url", "linkedin profile url", "linkedin profile", "linkedin"),
    *("hs_linkedin_url", "linkedin_personal_url", "linkedin contact profile url"),
    *("linkedin_profile__c", "linkedin_url__c", "linkedin__c", "contact linkedin url"),
    *("linkedin_profile__pc", "linkedin_url__pc", "linkedin__pc", "primary linkedin"),
    *("person linkedin url", "linkedin_url", "linkedinurl", "linkedinprofileurl"),
    *("profile url", "profileurl"),
)
"""Columns that people and programs make for the profile's URL; what no person's URL stands in
(`Company Linkedin Url`) is not among them."""
