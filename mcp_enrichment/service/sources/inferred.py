"""The source of inferred emails, formed like those of colleagues. Nobody has verified them."""

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
    from mcp_enrichment.service.sources.inference.names import Name
    from mcp_enrichment.service.sources.inference.pattern_learning import Inference, KnownAddress


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Candidate:
    """A person in the user's rows without a known work address."""

    profile: str
    name: Name
    company: str
    """The key of the company."""


class PeopleBook(Protocol):
    """The people in the user's rows."""

    async def person(self, profile: str) -> Candidate | None:
        """The person with this canonical URL, if no work address is known."""

    async def domains_of(self, company: str) -> Counter[str]:
        """The domains of the company's addresses, with the number of people at each."""

    async def known(self, domain: str) -> list[KnownAddress]:
        """People with an address at the domain: all, or enough to learn from."""

    async def is_taken(self, local: str, domain: str) -> bool:
        """Whether the address is known to be another person's."""

    async def namesakes(self, person: Candidate) -> list[Name]:
        """Others of the company without an address and with a similar name."""

    async def figures(self) -> Accuracy:
        """The accuracy of inferences on these rows."""


@dataclass(frozen=True, slots=True)
class InferredSource:
    """Returns inferences of groups that are precise on the user's rows. Any other is a miss."""

    book: PeopleBook
    name: str = "inferred"

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss:
        person = await self.book.person(profile) if email_type is EmailType.WORK else None
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
        """The person's address, unless another person has it or would get it."""
        learned = DomainPatterns(await self.book.known(domain))
        inference = learned.infer(person.name)
        if inference is None or await self.book.is_taken(inference.local, domain):
            return None
        others = map(learned.infer, await self.book.namesakes(person))
        return None if any(o and o.local == inference.local for o in others) else inference
