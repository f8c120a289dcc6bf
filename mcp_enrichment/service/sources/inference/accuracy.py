"""The accuracy of inferences on the user's rows, by leave-one-out cross-validation."""

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

    from mcp_enrichment.service.sources.inference.names import Name
    from mcp_enrichment.service.sources.inference.pattern_learning import Inference, KnownAddress

MIN_PRECISION = 0.95
VERSION = 2
"""The version of the inference rules. Accuracy of another version is not valid."""
MIN_TESTED = 50
"""The known addresses that must be inferred before a precision counts."""
MIN_COLLEAGUES = 2
"""The people of a company who must have an address at its domain."""
LEVELS = {"all agree": 1.0, "19 of 20 agree": 0.95, "9 of 10 agree": 0.9, "8 of 10 agree": 0.8}
"""Levels of inferences, by their minimum agreement."""


class InferenceKind(NamedTuple):
    """The group of an inference: its pattern and its level."""

    pattern: str
    level: str


class Tally(NamedTuple):
    """The number of inferred known addresses, and of right ones among them."""

    tested: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.tested if self.tested else 0.0

    @property
    def is_precise(self) -> bool:
        """Whether enough of them are right."""
        return self.precision >= MIN_PRECISION

    @property
    def is_enough(self) -> bool:
        """Whether it is precise, and enough were tested."""
        return self.tested >= MIN_TESTED and self.is_precise

    def plus(self, other: Tally) -> Tally:
        return Tally(self.tested + other.tested, self.right + other.right)


def inference_kind(inference: Inference) -> InferenceKind:
    level = next(name for name, least in LEVELS.items() if inference.agreement >= least)
    doubt = f", {inference.doubt}" if inference.doubt else ""
    return InferenceKind(inference.pattern, level + doubt)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    known: int = 0
    """The work addresses of people with a name, each of which is left out once."""
    domains: Mapping[str, int] = field(default_factory=dict)
    """The number of domains with each pattern."""
    tallies: Mapping[InferenceKind, Tally] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        tallies = [[*kind, *tally] for kind, tally in self.tallies.items()]
        return {"v": VERSION, "known": self.known, "domains": self.domains, "tallies": tallies}

    @classmethod
    def read(cls, written: Any) -> Accuracy | None:
        """Read the JSON; None if it is of another version."""
        if written["v"] != VERSION:
            return None
        tallies = {
            InferenceKind(p, level): Tally(t, right) for p, level, t, right in written["tallies"]
        }
        return cls(known=written["known"], domains=written["domains"], tallies=tallies)

    def by_pattern(self) -> Mapping[str, Tally]:
        """The tallies of precise levels, for each pattern of a domain."""
        levels = {level for level, tally in self.by_level().items() if tally.is_enough}
        tested = [(k.pattern, tally) for k, tally in self.tallies.items() if k.level in levels]
        return _summed([*tested, *((pattern, Tally()) for pattern in self.domains)])

    def by_level(self) -> Mapping[str, Tally]:
        """The tallies of all inferences, by level."""
        return _summed((kind.level, tally) for kind, tally in self.tallies.items())

    def offered(self) -> Tally:
        """The tally of the inferences that are offered."""
        return _summed(("", t) for kind, t in self.tallies.items() if self.offers(kind))[""]

    def offers(self, kind: InferenceKind) -> bool:
        """Whether its level is precise, and its pattern as well if it was tested."""
        level, pattern = self.by_level()[kind.level], self.by_pattern()[kind.pattern]
        return level.is_enough and (not pattern.tested or pattern.is_precise)


def _summed(tallies: Iterable[tuple[str, Tally]]) -> Mapping[str, Tally]:
    found: dict[str, Tally] = defaultdict(Tally)
    for name, tally in tallies:
        found[name] = found[name].plus(tally)
    return found


def company_domain(colleagues: Mapping[str, int]) -> str | None:
    """The domain of a company, by the domains of its people's addresses."""
    found = majority(colleagues.items(), at_least=MIN_COLLEAGUES)
    return found and found[0]


def leave_one_out(
    domains: Iterable[tuple[str, list[KnownAddress]]],
    companies: Mapping[str, Counter[str]],
    known_of: Callable[[str], list[KnownAddress]],
) -> Accuracy:
    """Infer each known address from the others at the domain of its company.

    `companies`: the domains of each company's addresses. `known_of`: the people of a domain.
    """
    known = 0
    patterns: Counter[str] = Counter()
    tested: Counter[tuple[InferenceKind, bool]] = Counter()
    elsewhere: dict[str, list[Name]] = defaultdict(list)

    for domain, people in domains:
        known += len(people)
        learned, this_person = DomainPatterns(people), Counter([domain])
        if found := majority(learned.patterns().items(), at_least=MIN_CONFIRMATIONS):
            patterns[found[0]] += 1
        for person, inference in learned.leave_one_out():
            meant = company_domain(companies.get(person.company, Counter()) - this_person)
            if meant not in (domain, None):
                elsewhere[meant].append(person.name)
            elif meant and inference:
                tested[inference_kind(inference), inference.local == person.local] += 1
    # A person with another domain than the colleagues is inferred wrongly, or not at all.
    for domain, names in elsewhere.items():
        learned = DomainPatterns(known_of(domain))
        inferred = filter(None, map(learned.infer, names))
        tested.update((inference_kind(inference), False) for inference in inferred)
    tallies = {
        kind: Tally(tested[kind, True] + tested[kind, False], tested[kind, True])
        for kind, _ in tested
    }
    return Accuracy(known=known, domains=patterns, tallies=tallies)
