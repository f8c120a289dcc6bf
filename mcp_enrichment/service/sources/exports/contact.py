"""What reading an export gives: contacts, rows that hold none, or a refusal of the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from mcp_enrichment.contract.models import EmailType

DOWNLOAD = (
    "in LinkedIn, open Settings & Privacy > Data privacy > Get a copy of your data, choose "
    "Connections, and pass the file that LinkedIn makes"
)
"""What helps against every file that is the wrong one."""
MAX_SHOWN_NAME = 80
"""Characters of a file's name that a message repeats."""


# No generated repr: one log line of a row would otherwise hold a person's name and address.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Contact:
    """A person of whom the export tells both the profile and an address."""

    profile: str
    """The profile's canonical URL."""
    email: str
    """As written, but for the domain in lower case; compare addresses in lower case altogether."""
    kind: EmailType
    """Judged by the address's domain alone."""
    first_name: str
    last_name: str
    company: str
    position: str
    connected_on: date | None
    """None where the date is missing or in no known form."""


class SkipReason(StrEnum):
    """Why a row gives no contact."""

    EMPTY_ROW = "empty-row"
    """None of its cells holds anything."""
    NO_URL = "no-url"
    """It names no profile, or the file is too old to have that column."""
    NO_EMAIL = "no-email"
    """The connection does not share an address, as most do not."""
    BAD_URL = "bad-url"
    """Its URL is not that of a person's profile."""
    BAD_EMAIL = "bad-email"
    """Its address cannot be one."""
    UNREADABLE = "unreadable"
    """It is longer than any row can be, as after a quotation mark that is never closed."""
    SUPPRESSED = "suppressed"
    """The person, or the address, is on the suppression list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A row without a contact."""

    reason: SkipReason
    line: int
    """The line of the file at which the row begins, from 1."""


class ExportRefused(ValueError):
    """The file is not an export that can be read; its one sentence says why and what to do."""

    @classmethod
    def because(cls, path: Path, problem: str, remedy: str = DOWNLOAD) -> Self:
        """Tell of a problem with the file, by its name alone."""
        name = "".join(char if char.isprintable() else "?" for char in path.name[:MAX_SHOWN_NAME])
        return cls(f"{name or 'That path'} {problem}: {remedy}.")
