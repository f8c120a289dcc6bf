"""What reading an export gives: contacts, what holds none, or a refusal of the whole file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from mcp_enrichment.contract.models import EmailType

EXPORT_AGAIN = "export it again"
"""What helps against every file that has come to harm."""
MAX_SHOWN_NAME = 80
"""Characters of a file's name that a message repeats."""


# No generated repr: one log line of a row would otherwise hold a person's name and address.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Contact:
    """One address of a person."""

    profile: str | None
    """The profile's canonical URL; None where the export does not tell it."""
    email: str
    """As written, but for the domain in lower case; compare addresses in lower case altogether."""
    kind: EmailType
    """As the export labels the address, else judged by its domain."""
    first_name: str
    last_name: str
    company: str
    position: str
    connected_on: date | None
    """None where the date is missing or in no known form."""
    seen_at: float | None = None
    """When the export's program last saw this to be so; None where that is not known."""
    rank: int = 0
    """Which address of its row it is, from 0: the first one is the main one."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Person:
    """A person of whom the export tells the profile, but no address."""

    profile: str
    first_name: str
    last_name: str
    company: str
    seen_at: float | None
    """As of a contact."""


class SkipReason(StrEnum):
    """Why a row gives no contact, or a part of it none."""

    EMPTY_ROW = "empty-row"
    """None of its cells holds anything."""
    NO_URL = "no-url"
    """It names no profile."""
    NO_EMAIL = "no-email"
    """The person does not share an address, as most do not."""
    BAD_URL = "bad-url"
    """Its URL is not that of a person's profile."""
    NOT_A_PERSON = "not-a-person"
    """Its URL is that of a company, a school or a post."""
    SALES_NAVIGATOR = "sales-navigator"
    """Its URL is one that only LinkedIn's tools for selling and hiring can resolve."""
    BAD_EMAIL = "bad-email"
    """Its address cannot be one."""
    MASKED = "masked"
    """A placeholder stands where the address would be."""
    GUESSED = "guessed"
    """The export says itself that the address is a guess, or does not work."""
    SOMEBODY_ELSE = "somebody-else"
    """The export says itself that the address is another person's, such as an assistant's."""
    UNREADABLE = "unreadable"
    """It is longer than any row can be, as after a quotation mark that is never closed, or a card
    that has no end, or no beginning."""
    SUPPRESSED = "suppressed"
    """The person, or the address, is on the suppression list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A row without a contact, or a part of one that is left out."""

    reason: SkipReason
    line: int
    """The line of the file at which the row begins, from 1."""
    is_part: bool = False
    """Whether the rest of the row is a contact."""
    person: Person | None = field(default=None, repr=False, compare=False)
    """Whom a row without an address is about."""


class InvalidExport(ValueError):
    """The file is not an export that can be read; its one sentence says why and what to do."""

    @classmethod
    def because(cls, path: Path, problem: str, remedy: str = EXPORT_AGAIN) -> Self:
        """Tell of a problem with the file, by its name alone."""
        name = "".join(char if char.isprintable() else "?" for char in path.name[:MAX_SHOWN_NAME])
        return cls(f"{name or 'That path'} {problem}: {remedy}.")
