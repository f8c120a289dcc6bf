"""The source of the user's imported contacts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.sources.base import Hit, Miss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_enrichment.contract.models import EmailType


class ContactBook(Protocol):
    """Imported contacts."""

    async def emails_of(self, profile: str, email_type: EmailType) -> Mapping[str, float] | None:
        """The stored emails of this type, the newest first, with the time of each; None where
        nothing was imported yet."""


@dataclass(frozen=True, slots=True)
class ContactsSource:
    """Looks up contacts. An email of the other type is a miss."""

    book: ContactBook
    name: str = "contacts"

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss:
        found = await self.book.emails_of(profile, email_type)
        if found is None:
            return Miss(reason=Reason.NO_CONTACTS)
        hits = [_own(email, seen_at) for email, seen_at in found.items()]
        return replace(hits[0], others=tuple(hits[1:])) if hits else Miss()


def _own(email: str, seen_at: float) -> Hit:
    return Hit(email=email, verification=Verification.OWN_DATA, checked_at=seen_at)
