"""The sources over imported rows: contacts, and emails inferred from those of colleagues."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.contract.models import EmailType, Reason, Verification
from mcp_enrichment.service.contacts import contact_table, person_records
from mcp_enrichment.service.sources.base import Hit, Miss
from mcp_enrichment.service.sources.inference.accuracy import company_domain, inference_kind
from mcp_enrichment.service.sources.inference.pattern_learning import DomainPatterns

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.inference.accuracy import Accuracy
    from mcp_enrichment.service.sources.inference.pattern_learning import Inference


@dataclass(frozen=True, slots=True)
class ContactsSource:
    """Looks up imported contacts. An email of the other type is a miss."""

    database: Database
    name: str = "contacts"

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss:
        def read(connection: Connection) -> tuple[dict[str, float], bool]:
            emails = contact_table.emails_of(connection, profile, email_type)
            return emails, bool(emails) or contact_table.any_stored(connection)

        emails, has_contacts = await self.database.read(read)
        if not has_contacts:
            return Miss(reason=Reason.NO_CONTACTS)
        hits = [_own(email, seen_at) for email, seen_at in emails.items()]
        return replace(hits[0], others=tuple(hits[1:])) if hits else Miss()


def _own(email: str, seen_at: float) -> Hit:
    return Hit(email=email, verification=Verification.OWN_DATA, checked_at=seen_at)


@dataclass(frozen=True, slots=True)
class InferredSource:
    """Infers emails that are formed like those of colleagues. Nobody has verified them.

    Returned are those of groups that are precise on the imported rows. Any other is a miss.
    """

    database: Database
    name: str = "inferred"
    _computing: anyio.Lock = field(default_factory=anyio.Lock)

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss:
        if email_type is not EmailType.WORK:
            return Miss()
        found = await self.database.read(lambda c: _infer(c, profile))
        if found is None:
            return Miss()
        domain, inference = found
        if not (await self._accuracy()).offers(inference_kind(inference)):
            return Miss()
        return Hit(
            email=f"{inference.local}@{domain}",
            verification=Verification.INFERRED,
            evidence=inference.evidence(domain),
        )

    async def _accuracy(self) -> Accuracy:
        async with self._computing:
            return await anyio.to_thread.run_sync(person_records.last_figures, self.database)


def _infer(connection: Connection, profile: str) -> tuple[str, Inference] | None:
    """The domain and the inference for a person without a known work address, unless another
    person has that address or would get it."""
    person = person_records.without_address(connection, profile)
    if person is None or not person.company_key:
        return None
    domain = company_domain(person_records.domains_of(connection, person.company_key))
    if domain is None:
        return None
    learned = DomainPatterns(person_records.known(connection, domain))
    inference = learned.infer(person_records.name_of(person))
    if inference is None or person_records.is_taken(connection, inference.local, domain):
        return None
    namesakes = person_records.namesakes(connection, profile)
    others = [learned.infer(person_records.name_of(row)) for row in namesakes]
    if any(other and other.local == inference.local for other in others):
        return None
    return domain, inference
