"""The share of inferred addresses that are right, on generated companies with noise.

Each known address is left out in turn, as `mcp-enrichment contacts report` does. Then addresses are
inferred for people whose own addresses were not used for learning, and compared with these. Goal:
0.95 of the addresses offered are right, at any noise.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from bench.companies import Noise, people
from mcp_enrichment.service.sources.inference.accuracy import (
    company_domain,
    inference_kind,
    leave_one_out,
)
from mcp_enrichment.service.sources.inference.names import company_key
from mcp_enrichment.service.sources.inference.pattern_learning import DomainPatterns, KnownAddress

if TYPE_CHECKING:
    from bench.companies import Person
    from mcp_enrichment.service.sources.inference.accuracy import Accuracy

COMPANIES = 1500
SEEDS = (1, 2, 3)
NOISES = (0.0, 0.3, 1.0, 3.0)
"""Factors of the default noise."""


class Measured(NamedTuple):
    """For how many people an address is offered, and for how many the right one."""

    people: int
    offered: int
    right: int

    def __str__(self) -> str:
        precision = f"{self.right / self.offered:.3f}" if self.offered else "nothing offered"
        return f"{precision}, coverage {self.offered / self.people:.2f} of {self.people:,}"


class Rows:
    """A user's rows: three of five people with an address."""

    def __init__(self, everybody: list[Person]) -> None:
        self.domains: dict[str, list[KnownAddress]] = defaultdict(list)
        self.companies: dict[str, Counter[str]] = defaultdict(Counter)
        self.held_back = [person for n, person in enumerate(everybody) if n % 5 < 2]
        for person in (person for n, person in enumerate(everybody) if n % 5 >= 2):
            local, _, domain = person.email.partition("@")
            company = company_key(person.company)
            self.domains[domain].append(KnownAddress(person.name, company, local))
            self.companies[company][domain] += 1

    def left_out(self) -> Accuracy:
        """Each known address, inferred from the others."""
        return leave_one_out(self.domains.items(), self.companies, self.domains.__getitem__)


def main() -> None:
    """Print precision and coverage for each noise."""
    for much in NOISES:
        for seed in SEEDS:
            rows = Rows(list(people(COMPANIES, seed, Noise().times(much))))
            began = time.perf_counter()
            figures = rows.left_out()
            taken = time.perf_counter() - began
            print(
                f"noise times {much}, companies {seed}: left out in turn, precision "
                f"{measured(figures)} ({taken / figures.known * 1e6:.0f} µs each); held back, "
                f"precision {of_held_back(rows, figures)}"
            )


def measured(figures: Accuracy) -> Measured:
    """The figures of the addresses that were left out."""
    offered = figures.offered()
    return Measured(figures.known, offered.tested, offered.right)


def of_held_back(rows: Rows, figures: Accuracy) -> Measured:
    """The figures for people whose addresses were not used for learning."""
    learned = {domain: DomainPatterns(known) for domain, known in rows.domains.items()}
    right = offered = 0
    for person in rows.held_back:
        domain = company_domain(rows.companies[company_key(person.company)])
        inference = learned[domain].infer(person.name) if domain else None
        if inference and figures.offers(inference_kind(inference)):
            offered += 1
            right += f"{inference.local}@{domain}" == person.email
    return Measured(len(rows.held_back), offered, right)


if __name__ == "__main__":
    main()
