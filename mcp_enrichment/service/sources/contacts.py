"""The first source: the user's own contacts, as imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.sources.port import Hit, Miss

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType


class ContactBook(Protocol):
    """Where imported contacts can be looked up."""

    async def email_of(self, profile: str, kind: EmailType) -> tuple[str, float] | None:
        """The stored address of that kind, if there is one, and when it was imported."""

    async def is_empty(self) -> bool:
        """Whether nothing has been imported yet."""


@dataclass(frozen=True, slots=True)
class ContactsSource:
    """Answers from a contact book: an address of the other kind is a miss."""

    book: ContactBook
    name: str = "contacts"

    async def find(self, profile: str, kind: EmailType) -> Hit | Miss:
        if found := await self.book.email_of(profile, kind):
            email, imported_at = found
            own = Verification.OWN_DATA
            return Hit(email=email, verification=own, checked_at=imported_at)
        return Miss(reason=Reason.NO_CONTACTS if await self.book.is_empty() else None)
