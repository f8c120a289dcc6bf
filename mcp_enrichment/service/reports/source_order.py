"""The order of sources that makes a lookup cheapest, and its certainty: statistics only.

A lookup asks the sources in order until one ends it. A source charges `charge` on average and ends
a lookup with the probability `probability`. If sources answer independently of each other, the
expected cost of a lookup is least in the order of charge / probability, as exchanging two
neighbours shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_ANSWERED = 20
"""Answered lookups that each source needs."""
DRAWS = 2000
INTERVAL = 0.9
_SEED = 20
_TOLERANCE = 1e-9
"""Relative difference below which two costs are equal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charges:
    """The charges of a number of lookups, as sums that suffice for the mean and its error."""

    count: int = 0
    total: Decimal = Decimal()
    squares: Decimal = Decimal()
    """The sum of the squared charges."""
    list_price: Decimal = Decimal()
    """The charge of one lookup that is assumed if there was none."""

    def plus(self, count: int, charge: Decimal) -> Charges:
        """The sums with this many further lookups that were charged this each."""
        return replace(
            self,
            count=self.count + count,
            total=self.total + count * charge,
            squares=self.squares + count * charge**2,
        )

    @property
    def mean(self) -> float:
        return float(self.total / self.count if self.count else self.list_price)

    def draw_mean(self, random: Random) -> float:
        """The mean in one draw: normal, with the variance of the Bayesian bootstrap (Rubin 1981).
        It costs no more for a million charges than for ten."""
        if self.count == 0:
            return self.mean
        variance = max(float(self.squares / self.count) - self.mean**2, 0.0)
        return max(random.gauss(self.mean, math.sqrt(variance / (self.count + 1))), 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredLookups:
    """The lookups that a source answered."""

    source: str
    ended: Charges
    """Of the lookups that it ended."""
    passed_on: Charges
    """Of the lookups after which the next source was asked."""

    @property
    def count(self) -> int:
        return self.ended.count + self.passed_on.count


@dataclass(frozen=True, slots=True)
class Step:
    """A source in an order, with figures that are known or drawn."""

    source: str
    charge: float
    """The mean charge of a lookup, whether it is ended or not."""
    probability: float
    """The probability that the source ends a lookup; above 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheapestOrder:
    """The order with the least expected cost of a lookup. It is the present one if no other is
    cheaper."""

    sources: Sequence[str]
    is_present: bool
    cost: float
    """The expected cost of a lookup."""
    present_cost: float
    """The same in the present order."""
    least_saving: float
    """The lower end of the interval of the saving for each lookup."""
    most_saving: float
    certainty: float
    """The part of the draws in which no order is cheaper."""


def cheapest_order(present: Sequence[AnsweredLookups]) -> CheapestOrder:
    """The cheapest order of these sources, which are in their present order."""
    before = [_expected_step(source) for source in present]
    best = by_ratio(before)
    if not _is_less(expected_cost(best), expected_cost(before)):
        best = before
    places = [before.index(step) for step in best]
    random, savings, cheapest = Random(_SEED), [], 0  # noqa: S311 (statistics; the same each time)
    for _ in range(DRAWS):
        drawn = [_drawn_step(source, random) for source in present]
        cost = expected_cost([drawn[place] for place in places])
        savings.append(expected_cost(drawn) - cost)
        cheapest += not _is_less(expected_cost(by_ratio(drawn)), cost)
    savings.sort()
    cut_off = round(DRAWS * (1 - INTERVAL) / 2)
    return CheapestOrder(
        sources=[step.source for step in best],
        is_present=best == before,
        cost=expected_cost(best),
        present_cost=expected_cost(before),
        least_saving=savings[cut_off],
        most_saving=savings[-cut_off - 1],
        certainty=cheapest / DRAWS,
    )


def expected_cost(order: Sequence[Step]) -> float:
    """The expected cost of a lookup that asks the sources in this order."""
    cost, reached = 0.0, 1.0
    for step in order:
        cost += reached * step.charge
        reached *= 1 - step.probability
    return cost


def by_ratio(steps: Sequence[Step]) -> list[Step]:
    """The steps in the order of the least expected cost. Equal ones keep their order."""
    return sorted(steps, key=lambda step: step.charge / step.probability)


def _expected_step(source: AnsweredLookups) -> Step:
    ended, passed_on = source.ended, source.passed_on
    return _step(source, (ended.count + 1) / (source.count + 2), ended.mean, passed_on.mean)


def _drawn_step(source: AnsweredLookups, random: Random) -> Step:
    ended, passed_on = source.ended, source.passed_on
    probability = random.betavariate(ended.count + 1, passed_on.count + 1)
    return _step(source, probability, ended.draw_mean(random), passed_on.draw_mean(random))


def _step(source: AnsweredLookups, probability: float, ended: float, passed_on: float) -> Step:
    charge = probability * ended + (1 - probability) * passed_on
    return Step(source.source, charge, probability)


def _is_less(cost: float, than: float) -> bool:
    return cost < than * (1 - _TOLERANCE)
