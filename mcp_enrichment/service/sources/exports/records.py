"""The records of an export: raw rows, contacts, skipped rows, and the error for a whole file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from mcp_enrichment.contract.errors import CommandError
from mcp_enrichment.contract.explanation import ExplainedEnum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from mcp_enrichment.contract.models import EmailType


EXPORT_AGAIN = "export it again"
"""The remedy for a damaged file."""
MAX_SHOWN_NAME = 80
"""Characters of a file name in a message."""


# No generated repr: a log line could contain a person's name and address.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Contact:
    """One email address of a person."""

    profile: str | None
    """The canonical profile URL; None if the export has none."""
    email: str
    """As written, with the domain in lower case. Compare addresses in lower case."""
    email_type: EmailType
    """By the label of the export, else by the domain."""
    first_name: str
    last_name: str
    company: str
    position: str
    connected_on: date | None
    """None if the date is missing or has an unknown format."""
    seen_at: float | None = None
    """The last time at which the exporting program had this; None if unknown."""
    rank: int = 0
    """The index of the address in its row. 0 is the main one."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Person:
    """A person with a profile URL, but without an address."""

    profile: str
    first_name: str
    last_name: str
    company: str
    seen_at: float | None
    """As in `Contact`."""


class SkipReason(ExplainedEnum):
    """Why a row, or a part of it, yields no contact. The text follows "skipped" or "came"."""

    EMPTY_ROW = "empty-row", "empty"
    NO_URL = "no-url", "without a profile URL"
    NO_EMAIL = "no-email", "without an email (most connections do not share theirs)"
    BAD_URL = "bad-url", "with a URL that is not a person's profile"
    NOT_A_PERSON = (
        "not-a-person",
        "with the URL of a company, a school or a post in place of a person's",
    )
    SALES_NAVIGATOR = (
        "sales-navigator",
        "with a URL of Sales Navigator or Recruiter, which only LinkedIn resolves",
    )
    BAD_EMAIL = "bad-email", "with an invalid email address"
    MASKED = "masked", "with a placeholder in place of an email"
    GUESSED = "guessed", "with an email that the export itself calls a guess or unusable"
    SOMEBODY_ELSE = "somebody-else", "with an email that the export itself calls somebody else's"
    # Too long, as after an unclosed quotation mark, or a card without an end or a start.
    UNREADABLE = "unreadable", "unreadable"
    SUPPRESSED = "suppressed", "on the suppression list"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A row, or a part of one, that yields no contact."""

    reason: SkipReason
    line: int
    """The first line number of the row, from 1."""
    is_part: bool = False
    """Whether the rest of the row yields a contact."""
    person: Person | None = field(default=None, repr=False, compare=False)
    """The person of a row without an address."""


class InvalidExport(CommandError):
    """The file cannot be read as an export. The message has the cause and the remedy."""

    @classmethod
    def because(cls, path: Path, problem: str, remedy: str = EXPORT_AGAIN) -> Self:
        """An error for this file, with its name but not its path."""
        name = "".join(char if char.isprintable() else "?" for char in path.name[:MAX_SHOWN_NAME])
        return cls(f"{name or 'That path'} {problem}: {remedy}.")


class RawEmail(NamedTuple):
    text: str
    email_type: EmailType | None
    """By the title or the label."""
    is_doubtful: bool = False
    """Whether the export marks it as a guess."""
    is_others: bool = False
    """Whether the export marks it as another person's."""


class RawRow(NamedTuple):
    """The texts of a row or a card before normalization. Each may be empty."""

    first_name: str
    last_name: str
    full_name: str
    company: str
    position: str
    connected_on: str
    changed_at: str
    profiles: Sequence[str]
    """Candidates for the profile URL, the likeliest first."""
    emails: Sequence[RawEmail]
    """The cells that are not empty, the main one first."""
