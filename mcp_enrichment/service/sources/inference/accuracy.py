"""How right inferences are on the user's own rows, by leaving each known address out in turn."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_enrichment.service.sources.inference.pattern_learning import (
    MIN_CONFIRMATIONS,
    DomainPatterns,
    majority,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcp_enrichment.service.sources.inference.pattern_learning import Inference, KnownAddress
    from mcp_enrichment.service.sources.inference.transliteration import Name

MIN_PRECISION = 0.95
VERSION = 2
"""Of the rules by which addresses are inferred: figures of another one say nothing."""
MIN_TESTED = 50
"""Known addresses that must have been inferred before the precision of a kind says anything."""
MIN_COLLEAGUES = 2
"""People of a company who must have an address at the domain that it is taken to have."""
LEVELS = {"all agree": 1.0, "19 of 20 agree": 0.95, "9 of 10 agree": 0.9, "8 of 10 agree": 0.8}
"""Inferences by the least agreement that they have."""


class InferenceKind(NamedTuple):
    """What inferences are told apart by."""

    pattern: str
    level: str


class Tally(NamedTuple):
    """How many known addresses were inferred, and how many of them rightly."""

    tested: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.tested if self.tested else 0.0

    @property
    def is_precise(self) -> bool:
        """Whether enough of them were right."""
        return self.precision >= MIN_PRECISION

    @property
    def is_enough(self) -> bool:
        """Whether so many were tested, besides, that this says something."""
        return self.tested >= MIN_TESTED and self.is_precise

    def plus(self, other: Tally) -> Tally:
        return Tally(self.tested + other.tested, self.right + other.right)


def inference_kind(inference: Inference) -> InferenceKind:
    """The kind that an inference is judged with."""
    level = next(name for name, least in LEVELS.items() if inference.agreement >= least)
    doubt = f", {inference.doubt}" if inference.doubt else ""
    return InferenceKind(inference.pattern, level + doubt)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """What leaving each known address out in turn has told."""

    known: int = 0
    """Work addresses of people with a name: what is to be inferred again."""
    domains: Mapping[str, int] = field(default_factory=dict)
    """How many domains have each pattern."""
    tallies: Mapping[InferenceKind, Tally] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        """As JSON has it."""
        tallies = [[*kind, *tally] for kind, tally in self.tallies.items()]
        return {"v": VERSION, "known": self.known, "domains": self.domains, "tallies": tallies}

    @classmethod
    def read(cls, written: Any) -> Accuracy | None:
        """What was written; None where it was worked out by other rules."""
        if written["v"] != VERSION:
            return None
        tallies = {
            InferenceKind(p, level): Tally(t, right) for p, level, t, right in written["tallies"]
        }
        return cls(known=written["known"], domains=written["domains"], tallies=tallies)

    def by_pattern(self) -> Mapping[str, Tally]:
        """Inferences of the levels that are precise enough, by each pattern that domains have."""
        levels = {level for level, tally in self.by_level().items() if tally.is_enough}
        told = [(k.pattern, tally) for k, tally in self.tallies.items() if k.level in levels]
        return _summed([*told, *((pattern, Tally()) for pattern in self.domains)])

    def by_level(self) -> Mapping[str, Tally]:
        """All inferences, by level."""
        return _summed((kind.level, tally) for kind, tally in self.tallies.items())

    def offered(self) -> Tally:
        """The inferences that are offered."""
        return _summed(("", t) for kind, t in self.tallies.items() if self.offers(kind))[""]

    def offers(self, kind: InferenceKind) -> bool:
        """Whether its level is precise enough, and what is known of its pattern there is too."""
        level, pattern = self.by_level()[kind.level], self.by_pattern()[kind.pattern]
        return level.is_enough and (not pattern.tested or pattern.is_precise)


def _summed(tallies: Iterable[tuple[str, Tally]]) -> Mapping[str, Tally]:
    found: dict[str, Tally] = defaultdict(Tally)
    for name, tally in tallies:
        found[name] = found[name].plus(tally)
    return found


def company_domain(colleagues: Mapping[str, int]) -> str | None:
    """The domain of a company, by the domains that its people's addresses have."""
    found = majority(colleagues.items(), at_least=MIN_COLLEAGUES)
    return found and found[0]


def leave_one_out(
    domains: Iterable[tuple[str, list[KnownAddress]]],
    companies: Mapping[str, Counter[str]],
    known_of: Callable[[str], list[KnownAddress]],
) -> Accuracy:
    """Infer each known address from the others, through the domain of its company.

    `companies`: the domains of each company's addresses. `known_of`: the people of one domain.
    """
    tallies = _Tallies()
    elsewhere: dict[str, list[Name]] = defaultdict(list)
    for domain, people in domains:
        tallies.known += len(people)
        learned = DomainPatterns(people)
        tallies.pattern_of(learned)
        for person, inference in learned.leave_one_out():
            meant = _without(companies.get(person.company, Counter()), domain)
            if meant == domain:
                tallies.tell(inference, person.local)
            elif meant:
                elsewhere[meant].append(person.name)
    # Whoever writes from another domain than the colleagues is inferred wrongly, or not at all.
    for domain, names in elsewhere.items():
        learned = DomainPatterns(known_of(domain))
        for name in names:
            tallies.tell(learned.infer(name), None)
    return tallies.figures()


def _without(colleagues: Counter[str], domain: str) -> str | None:
    return company_domain(
        {d: n - (d == domain) for d, n in colleagues.items() if n - (d == domain)}
    )


@dataclass(slots=True)
class _Tallies:
    known: int = 0
    domains: Counter[str] = field(default_factory=Counter)
    tallies: dict[InferenceKind, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def pattern_of(self, domain: DomainPatterns) -> None:
        if found := majority(domain.patterns().items(), at_least=MIN_CONFIRMATIONS):
            self.domains[found[0]] += 1

    def tell(self, inference: Inference | None, local: str | None) -> None:
        if inference:
            kind, right = inference_kind(inference), inference.local == local
            self.tallies[kind] = self.tallies[kind].plus(Tally(1, int(right)))

    def figures(self) -> Accuracy:
        return Accuracy(known=self.known, domains=self.domains, tallies=self.tallies)
