"""What the known addresses of one domain tell about an unknown one."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from mcp_enrichment.service.sources.inference.names import spell
from mcp_enrichment.service.sources.inference.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from mcp_enrichment.service.sources.inference.names import Name, Spelled

MIN_CONFIRMATIONS = 3
"""People whose address must be formed as the inferred one."""
MIN_OF_A_KIND = 2
"""People of them with such a name, where a name can be spelled in several ways."""
MIN_AGREEMENT = 0.8
"""Part of the people with a known address who must agree."""
Alike: TypeAlias = "Iterable[tuple[Seen, int]]"
"""What is seen of people whose names are of the same scripts, with their number."""
T = TypeVar("T", bound="Hashable")


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """A person of the user's own rows, with a work address."""

    name: Name
    company: str
    """The company's key."""
    local: str
    """The address before the @, in lower case."""


class Seen(NamedTuple):
    """How one known address can have been formed: no pattern where none fits."""

    patterns: tuple[tuple[str, int], ...]
    """Each pattern, with the spellings of the name in which it fits as bits."""
    scripts: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """How the address of a person is formed, and who says so."""

    local: str
    pattern: str
    confirmations: int
    of: int
    """How many people could have confirmed the pattern."""
    agreement: float
    """The least there is on the pattern and, where that is in question, on the spelling."""
    is_shortened: bool
    """Whether people of that given name often write by a shorter one."""

    def evidence(self, domain: str) -> str:
        """The reasons in one line."""
        return f"{self.pattern}, {self.confirmations} of {self.of} at {domain}"


class Decided(NamedTuple):
    """What most of the votes are for."""

    votes: int
    of: int

    @property
    def agreement(self) -> float:
        return self.votes / self.of


def winner_of(votes: Iterable[tuple[T | None, int]], *, at_least: int) -> tuple[T, Decided] | None:
    """What has the votes that are needed; a vote for None is one against all others."""
    cast = list(votes)
    most = max(((what, n) for what, n in cast if what is not None), key=itemgetter(1), default=None)
    if most is None:
        return None
    decided = Decided(most[1], sum(n for _, n in cast))
    enough = decided.votes >= at_least and decided.agreement >= MIN_AGREEMENT
    return (most[0], decided) if enough else None


def seen(local: str, spelled: Spelled) -> Seen:
    """How a person's address can have been formed."""
    found: dict[str, int] = defaultdict(int)
    for form, spellings in spelled.forms.items():
        for pattern, write in PATTERNS.items():
            if write(*form) == local:
                found[pattern] |= spellings
    return Seen(tuple(found.items()), spelled.scripts)


class Domain:
    """The known addresses of one domain. People whose names cannot be spelled tell nothing."""

    def __init__(self, known: Iterable[Known]) -> None:
        self.people = list(known)
        self._taken = Counter(person.local for person in self.people)

    @cached_property
    def usable(self) -> list[tuple[Known, Spelled, Seen]]:
        """The people whose names can be spelled, with how their addresses can have been formed."""
        spelled = ((person, spell(person.name)) for person in self.people)
        return [(person, s, seen(person.local, s)) for person, s in spelled if s]

    @cached_property
    def _all_seen(self) -> Counter[Seen]:
        return Counter(seen for _, _, seen in self.usable)

    def patterns(self) -> Counter[str | None]:
        """How many addresses have each pattern, of those that leave no doubt; None: no pattern."""
        votes: Counter[str | None] = Counter()
        for one, people in self._all_seen.items():
            if len(one.patterns) <= 1:
                votes[one.patterns[0][0] if one.patterns else None] += people
        return votes

    def infer(self, name: Name) -> Inference | None:
        """The address of somebody else; None where there is too little to go by."""
        spelled = spell(name)
        inference = spelled and _infer(spelled, self._all_seen)
        return inference if inference and not self._taken[inference.local] else None

    def leave_each_out(self) -> Iterator[tuple[Known, Inference | None]]:
        """Each known person, with what the others tell of the address."""
        others = self._all_seen.copy()
        for person, spelled, own in self.usable:
            others[own] -= 1
            inference = _infer(spelled, others)
            others[own] += 1
            if inference and self._taken[inference.local] > (inference.local == person.local):
                inference = None
            yield person, inference


def _infer(spelled: Spelled, others: Counter[Seen]) -> Inference | None:
    found = _pattern_of(spelled, others)
    if found is None:
        return None
    pattern, decided = found
    alike = [(one, people) for one, people in others.items() if one.scripts == spelled.scripts]
    script = _script_holds(alike) if spelled.scripts else decided
    spelling = _spelling_of(spelled, pattern, alike)
    if script is None or spelling is None:
        return None
    local, how = spelling
    agreement = min(each.agreement for each in (decided, script, how or decided))
    return Inference(
        local=local,
        pattern=pattern,
        confirmations=decided.votes,
        of=decided.of,
        agreement=agreement,
        is_shortened=spelled.is_shortened,
    )


def _pattern_of(spelled: Spelled, others: Counter[Seen]) -> tuple[str, Decided] | None:
    """The pattern, by those whose address tells one result of the rest."""
    results = {
        pattern: frozenset(write(*form) for form in spelled.forms)
        for pattern, write in PATTERNS.items()
    }
    votes: Counter[frozenset[str] | None] = Counter()
    named: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    for one, people in others.items():
        meant = {results[pattern] for pattern, _ in one.patterns}
        if len(meant) > 1:
            continue
        votes[next(iter(meant), None)] += people
        for pattern, _ in one.patterns:
            named[results[pattern]][pattern] += people
    found = winner_of(votes.items(), at_least=MIN_CONFIRMATIONS)
    return found and (named[found[0]].most_common(1)[0][0], found[1])


def _spelling_of(spelled: Spelled, pattern: str, alike: Alike) -> tuple[str, Decided | None] | None:
    """The address by that pattern, in the spelling of those with such names."""
    results: dict[str, int] = defaultdict(int)
    for form, spellings in spelled.forms.items():
        results[PATTERNS[pattern](*form)] |= spellings
    if len(results) == 1:
        return next(iter(results)), None
    votes: Counter[str | None] = Counter()
    for one, people in alike:
        spellings = dict(one.patterns).get(pattern, 0)
        meant = [local for local, its in results.items() if its & spellings]
        if len(meant) == 1:
            votes[meant[0]] += people
    return winner_of(votes.items(), at_least=MIN_OF_A_KIND)


def _script_holds(alike: Alike) -> Decided | None:
    """Whether people with names of that script write them as we do: there are many ways."""
    votes: Counter[str | None] = Counter()
    for one, people in alike:
        votes["as we do" if one.patterns else None] += people
    found = winner_of(votes.items(), at_least=MIN_OF_A_KIND)
    return found and found[1]
