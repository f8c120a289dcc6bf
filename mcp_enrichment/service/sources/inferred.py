"""The source that infers: addresses formed as those of colleagues are, and never seen by anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources.base import Hit, Miss
from mcp_enrichment.service.sources.inference.accuracy import company_domain, inference_kind
from mcp_enrichment.service.sources.inference.pattern_learning import DomainPatterns

if TYPE_CHECKING:
    from collections import Counter

    from mcp_enrichment.service.sources.inference.accuracy import Accuracy
    from mcp_enrichment.service.sources.inference.pattern_learning import Inference, KnownAddress
    from mcp_enrichment.service.sources.inference.transliteration import Name


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Candidate:
    """Somebody of the user's own rows, of whom no work address is known."""

    profile: str
    name: Name
    company: str
    """The company's key."""


class PeopleBook(Protocol):
    """The user's own rows."""

    async def person(self, profile: str) -> Candidate | None:
        """Who has this canonical URL, where no work address is known."""

    async def domains_of(self, company: str) -> Counter[str]:
        """The domains of the company's addresses, with the number of people of each."""

    async def known(self, domain: str) -> list[KnownAddress]:
        """People with an address at the domain: all, or enough to learn from."""

    async def is_taken(self, local: str, domain: str) -> bool:
        """Whether somebody is known to have that address."""

    async def namesakes(self, person: Candidate) -> list[Name]:
        """Others of the company without an address whose names look like this one's."""

    async def figures(self) -> Accuracy:
        """How right inferences are on these rows."""


@dataclass(frozen=True, slots=True)
class InferredSource:
    """Offers what is inferred often enough rightly on the user's own rows, and else has none."""

    book: PeopleBook
    name: str = "inferred"

    async def find(self, profile: str, kind: EmailType) -> Hit | Miss:
        person = await self.book.person(profile) if kind is EmailType.WORK else None
        if person is None or not person.company:
            return Miss()
        domain = company_domain(await self.book.domains_of(person.company))
        if domain is None:
            return Miss()
        inference = await self._infer(person, domain)
        if inference is None or not (await self.book.figures()).offers(inference_kind(inference)):
            return Miss()
        return Hit(
            email=f"{inference.local}@{domain}",
            verification=Verification.INFERRED,
            evidence=inference.evidence(domain),
        )

    async def _infer(self, person: Candidate, domain: str) -> Inference | None:
        """The person's address, where nobody else has it or would be given it."""
        learned = DomainPatterns(await self.book.known(domain))
        inference = learned.infer(person.name)
        if inference is None or await self.book.is_taken(inference.local, domain):
            return None
        others = map(learned.infer, await self.book.namesakes(person))
        return None if any(o and o.local == inference.local for o in others) else inference
