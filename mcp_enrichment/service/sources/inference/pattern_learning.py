"""Learning the address pattern of a domain from its known addresses."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from mcp_enrichment.service.sources.inference.names import spell

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from mcp_enrichment.service.sources.inference.names import Name, Spellings


PATTERNS: Mapping[str, Callable[[str, str], str]] = {
    "first.last": lambda first, last: f"{first}.{last}",
    "firstlast": lambda first, last: first + last,
    "first_last": lambda first, last: f"{first}_{last}",
    "first-last": lambda first, last: f"{first}-{last}",
    "f.last": lambda first, last: f"{first[0]}.{last}",
    "flast": lambda first, last: first[0] + last,
    "f_last": lambda first, last: f"{first[0]}_{last}",
    "f-last": lambda first, last: f"{first[0]}-{last}",
    "first.l": lambda first, last: f"{first}.{last[0]}",
    "firstl": lambda first, last: first + last[0],
    "first": lambda first, _last: first,
    "last": lambda _first, last: last,
    "last.first": lambda first, last: f"{last}.{first}",
    "lastfirst": lambda first, last: last + first,
    "last_first": lambda first, last: f"{last}_{first}",
    "last-first": lambda first, last: f"{last}-{first}",
    "last.f": lambda first, last: f"{last}.{first[0]}",
    "lastf": lambda first, last: last + first[0],
    "fl": lambda first, last: first[0] + last[0],
}


MIN_CONFIRMATIONS = 3
"""The people whose address must confirm the pattern."""
MIN_SIMILAR_NAMES = 2
"""The people among them with a similar name, if a name has several spellings."""
MIN_AGREEMENT = 0.8
"""The share of people with a known address who must agree."""
Alike: TypeAlias = "Iterable[tuple[PatternMatch, int]]"
"""The matches of people with names of the same scripts, with their number."""
T = TypeVar("T", bound="Hashable")


@dataclass(frozen=True, slots=True, repr=False)
class KnownAddress:
    """A person with a work address in the user's rows."""

    name: Name
    company: str
    """The key of the company."""
    local: str
    """The local part of the address, in lower case."""


class Doubt(StrEnum):
    NONE = ""
    SHORTENED = "a name that is often shortened"
    SPELLINGS = "a name with several spellings"
    SCRIPT = "a name in another script"


class PatternMatch(NamedTuple):
    """The patterns that match a known address. There may be none."""

    patterns: tuple[tuple[str, int], ...]
    """Each pattern, with a bit set of the spellings that match it."""
    scripts: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Inference:
    """An inferred address, and its evidence."""

    local: str
    pattern: str
    confirmations: int
    of: int
    """The number of people who could have confirmed the pattern."""
    agreement: float
    """The minimum agreement on the pattern and, if there are several, on the spelling."""
    doubt: Doubt
    """The doubt that the name causes."""

    def evidence(self, domain: str) -> str:
        return f"{self.pattern}, {self.confirmations} of {self.of} at {domain}"


class Agreement(NamedTuple):
    """The number of votes for a value, among all."""

    votes: int
    of: int

    @property
    def agreement(self) -> float:
        return self.votes / self.of


def majority(votes: Iterable[tuple[T | None, int]], *, at_least: int) -> tuple[T, Agreement] | None:
    """The value with enough votes. A vote for None counts against every value."""
    counted = list(votes)
    most = max(
        ((what, n) for what, n in counted if what is not None), key=itemgetter(1), default=None
    )
    if most is None:
        return None
    decided = Agreement(most[1], sum(n for _, n in counted))
    enough = decided.votes >= at_least and decided.agreement >= MIN_AGREEMENT
    return (most[0], decided) if enough else None


class _Person:
    """A person, with the addresses that each pattern produces."""

    def __init__(self, spelled: Spellings) -> None:
        self.spelled = spelled
        self.results: dict[str, dict[str, int]] = {}
        """For each pattern the local parts, with a bit set of their spellings."""
        for pattern, write in PATTERNS.items():
            results = self.results[pattern] = defaultdict(int)
            for (first, last), spellings in spelled.forms.items():
                results[write(first, last)] |= spellings

    def seen(self, local: str) -> PatternMatch:
        """The patterns that match the person's address."""
        fits = ((p, results[local]) for p, results in self.results.items() if local in results)
        return PatternMatch(tuple(fits), self.spelled.scripts)


def _person(name: Name) -> _Person | None:
    spelled = spell(name)
    return _Person(spelled) if spelled else None


class DomainPatterns:
    """The known addresses of one domain. Names that cannot be transliterated are ignored."""

    def __init__(self, known: Iterable[KnownAddress]) -> None:
        self.people = list(known)
        self._taken = Counter(person.local for person in self.people)

    @cached_property
    def _usable(self) -> list[tuple[KnownAddress, _Person, PatternMatch]]:
        """The people whose names can be transliterated, with the matches of their addresses."""
        both = ((known, _person(known.name)) for known in self.people)
        return [(known, person, person.seen(known.local)) for known, person in both if person]

    @cached_property
    def _all_seen(self) -> Counter[PatternMatch]:
        return Counter(seen for _, _, seen in self._usable)

    def patterns(self) -> Counter[str | None]:
        """The number of addresses of each pattern, among those with one match. None: no pattern."""
        votes: Counter[str | None] = Counter()
        for one, people in self._all_seen.items():
            if len(one.patterns) <= 1:
                votes[one.patterns[0][0] if one.patterns else None] += people
        return votes

    def infer(self, name: Name) -> Inference | None:
        """Infer the address of another person; None if the evidence is too weak."""
        person = _person(name)
        inference = person and _infer(person, self._all_seen)
        return inference if inference and not self._taken[inference.local] else None

    def leave_one_out(self) -> Iterator[tuple[KnownAddress, Inference | None]]:
        """Each known person, with the inference from the others."""
        if len(self.people) <= MIN_CONFIRMATIONS:
            yield from ((known, None) for known in self.people)
            return
        others = self._all_seen.copy()
        for known, person, own in self._usable:
            others[own] -= 1
            inference = _infer(person, others)
            others[own] += 1
            if inference and self._taken[inference.local] > (inference.local == known.local):
                inference = None
            yield known, inference


def _infer(person: _Person, others: Counter[PatternMatch]) -> Inference | None:
    found = _pattern_of(person, others)
    if found is None:
        return None
    pattern, decided = found
    scripts = person.spelled.scripts
    alike = [(one, people) for one, people in others.items() if one.scripts == scripts]
    script = _script_holds(alike) if scripts else decided
    spelling = _spelling_of(person, pattern, alike)
    if script is None or spelling is None:
        return None
    local, how = spelling
    return Inference(
        local=local,
        pattern=pattern,
        confirmations=decided.votes,
        of=decided.of,
        agreement=min(each.agreement for each in (decided, script, how or decided)),
        doubt=_doubt_of(person.spelled, has_spellings=how is not None),
    )


def _doubt_of(spelled: Spellings, *, has_spellings: bool) -> Doubt:
    if spelled.scripts:
        return Doubt.SCRIPT
    if has_spellings:
        return Doubt.SPELLINGS
    return Doubt.SHORTENED if spelled.is_shortened else Doubt.NONE


def _pattern_of(person: _Person, others: Counter[PatternMatch]) -> tuple[str, Agreement] | None:
    """The pattern, by the votes of addresses that mean one result for this person."""
    votes: Counter[tuple[str, ...] | None] = Counter()
    named: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for one, people in others.items():
        meant = {tuple(person.results[pattern]) for pattern, _ in one.patterns}
        if len(meant) > 1:
            continue
        result = next(iter(meant), None)
        votes[result] += people
        if result is not None:
            named[result].update(dict.fromkeys((p for p, _ in one.patterns), people))
    found = majority(votes.items(), at_least=MIN_CONFIRMATIONS)
    return found and (named[found[0]].most_common(1)[0][0], found[1])


def _spelling_of(
    person: _Person, pattern: str, alike: Alike
) -> tuple[str, Agreement | None] | None:
    """The address by that pattern, in the spelling of people with similar names."""
    results = person.results[pattern]
    if len(results) == 1:
        return next(iter(results)), None
    votes: Counter[str | None] = Counter()
    for one, people in alike:
        spellings = dict(one.patterns).get(pattern, 0)
        meant = [local for local, its in results.items() if its & spellings]
        if len(meant) == 1:
            votes[meant[0]] += people
    return majority(votes.items(), at_least=MIN_SIMILAR_NAMES)


def _script_holds(alike: Alike) -> Agreement | None:
    """The votes of people with names of this script for our transliteration; None if too few
    agree."""
    votes: Counter[str | None] = Counter()
    for one, people in alike:
        votes["ours" if one.patterns else None] += people
    found = majority(votes.items(), at_least=MIN_SIMILAR_NAMES)
    return found and found[1]
