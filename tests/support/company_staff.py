"""People whose addresses follow the pattern of their company, as rows of an import."""

from __future__ import annotations

from itertools import count, islice, product
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import Contact, Person, Skipped, SkipReason
from mcp_enrichment.service.sources.inference.pattern_learning import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = "Ada Grace Jonas Mia Noah Lena Omar Zeynep Priya Kenji Clara Felix"
LAST = "Okafor Weber Silva Laurent Fischer Novak Khan Tanaka Rossi Horvat Brown Hill"
NAMES = [(first, last) for last, first in product(LAST.split(), FIRST.split())]
_number = count()


def profile(who: str) -> str:
    return f"https://www.linkedin.com/in/{who}-example"


def contact(first: str, last: str, company: str, email: str, who: str | None = None) -> Contact:
    return Contact(
        profile=profile(who or f"someone-{next(_number)}"),
        email=email,
        email_type=EmailType.WORK,
        first_name=first,
        last_name=last,
        company=company,
        position="",
        connected_on=None,
    )


def unaddressed(first: str, last: str, company: str, who: str) -> Skipped:
    person = Person(
        profile=profile(who), first_name=first, last_name=last, company=company, seen_at=None
    )
    return Skipped(reason=SkipReason.NO_EMAIL, line=1, person=person)


def staff(company: str, domain: str, people: int, pattern: str = "first.last") -> Iterator[Contact]:
    """This many people, with different names."""
    for first, last in islice(NAMES, people):
        local = PATTERNS[pattern](first.lower(), last.lower())
        yield contact(first, last, company, f"{local}@{domain}")
