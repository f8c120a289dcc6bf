"""The sources over imported rows: contacts, and emails inferred from those of colleagues."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from sqlalchemy import bindparam, exists, select

from mcp_enrichment.contract.models import EmailType, Reason, Verification
from mcp_enrichment.service.contacts import person_records
from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import contact_emails
from mcp_enrichment.service.sources.base import Hit, Miss
from mcp_enrichment.service.sources.inference.accuracy import company_domain, inference_kind
from mcp_enrichment.service.sources.inference.pattern_learning import DomainPatterns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.base import Source
    from mcp_enrichment.service.sources.inference.pattern_learning import Inference

MAX_ROWS = 50
"""The most rows that are read of one person."""
_contacts = contact_emails.c
_EMAILS_OF = Prepared(
    select(_contacts.email, _contacts.seen_at)
    .where(_contacts.linkedin_url == bindparam("linkedin_url"), _contacts.type == bindparam("type"))
    .order_by(
        _contacts.seen_at.desc(), _contacts.imported_at.desc(), _contacts.rank, _contacts.email
    )
    .limit(MAX_ROWS)
)
_HAS_PROFILES = Prepared(select(exists(select(_contacts.type).where(_contacts.linkedin_url > ""))))


@dataclass(frozen=True, slots=True)
class ContactsSource:
    """Looks up imported contacts. An email of the other type is a miss."""

    database: Database
    name: str = "contacts"

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss:
        def read(connection: Connection) -> Hit | Miss:
            of_person = {"linkedin_url": profile, "type": email_type}
            emails: dict[str, float] = {}  # the newest first
            for email, seen_at in _EMAILS_OF.rows(connection, of_person):
                emails.setdefault(email, seen_at)  # several sources may have the same one
            if not emails:
                [(has_profiles,)] = _HAS_PROFILES.rows(connection, {})
                return Miss() if has_profiles else Miss(reason=Reason.NO_CONTACTS)
            hit, *others = (
                Hit(email=email, verification=Verification.OWN_DATA, checked_at=seen_at)
                for email, seen_at in emails.items()
            )
            return replace(hit, others=tuple(others))

        return await self.database.read_few(read)


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
        if not await self.database.read_few(lambda c: person_records.without_address(c, profile)):
            return Miss()  # most profiles: this is read in less time than a thread takes to begin
        found = await self.database.read(lambda c: _infer(c, profile))
        if found is None:
            return Miss()
        domain, inference = found
        async with self._computing:
            accuracy = await anyio.to_thread.run_sync(person_records.last_figures, self.database)
        if not accuracy.offers(inference_kind(inference)):
            return Miss()
        return Hit(
            email=f"{inference.local}@{domain}",
            verification=Verification.INFERRED,
            evidence=inference.evidence(domain),
        )


def keyless_sources(database: Database) -> Mapping[str, Source]:
    """The sources that need no key, by name."""
    contacts, inferred = ContactsSource(database), InferredSource(database)
    return {source.name: source for source in (contacts, inferred)}


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
