"""How right inferred addresses are, on generated companies with noise.

Each known address is left out in turn, as `mcp-enrichment contacts report` does; then addresses are
inferred for the people whose addresses were held back, and compared. Goal: at least 0.95 of what is
offered is right.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from bench.companies import Noise, people
from mcp_enrichment.service.sources.inference.companies import company_key
from mcp_enrichment.service.sources.inference.figures import domain_of, kind_of, leave_each_out
from mcp_enrichment.service.sources.inference.learning import Domain, Known

if TYPE_CHECKING:
    from bench.companies import Person
    from mcp_enrichment.service.sources.inference.figures import Figures

COMPANIES = 1500
SEEDS = (1,)
NOISES = (0.3, 1, 3)
"""How much noise, beside the ordinary one."""


class Rows:
    """A user's rows: three of five people with an address."""

    def __init__(self, everybody: list[Person]) -> None:
        self.held_back = everybody[::5] + everybody[1::5]
        self.domains: dict[str, list[Known]] = defaultdict(list)
        self.companies: dict[str, Counter[str]] = defaultdict(Counter)
        for number, person in enumerate(everybody):
            if number % 5 > 1:
                local, _, domain = person.email.partition("@")
                company = company_key(person.company)
                self.domains[domain].append(Known(person.name, company, local))
                self.companies[company][domain] += 1

    def known_of(self, domain: str) -> list[Known]:
        return self.domains[domain]


def main() -> None:
    """Print precision and coverage for each noise."""
    for much in NOISES:
        for seed in SEEDS:
            rows = Rows(list(people(COMPANIES, seed, Noise().times(much))))
            began = time.perf_counter()
            figures = leave_each_out(rows.domains.items(), rows.companies, rows.known_of)
            taken = time.perf_counter() - began
            offered = figures.offered()
            print(
                f"noise times {much} seed {seed}: {figures.known:6,} known, left out in turn "
                f"({taken:.1f} s): precision {offered.precision:.3f}, coverage "
                f"{offered.tested / max(1, figures.known):.2f}; {truth(rows, figures)}"
            )
            for level, t in figures.by_level().items():
                print("   ", level, t, round(t.precision, 3))
            for level, t in figures.by_pattern().items():
                print("   ", level, t, round(t.precision, 3))


def truth(rows: Rows, figures: Figures) -> str:
    """What is offered for the people whose addresses were held back."""
    learned = {domain: Domain(known) for domain, known in rows.domains.items()}
    right = offered = 0
    for person in rows.held_back:
        domain = domain_of(rows.companies[company_key(person.company)])
        inference = learned[domain].infer(person.name) if domain else None
        if inference and figures.offers(kind_of(inference)):
            offered += 1
            right += f"{inference.local}@{domain}" == person.email
    return (
        f"of {len(rows.held_back):,} held back: precision {right / max(1, offered):.3f}, "
        f"coverage {offered / len(rows.held_back):.2f}"
    )


if __name__ == "__main__":
    main()
