"""The order of sources with the least expected cost, and how sure it is."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, strategies

from mcp_enrichment.service.reports import source_order
from mcp_enrichment.service.reports.source_order import (
    AnsweredLookups,
    Charges,
    CheapestOrder,
    Step,
    by_ratio,
    cheapest_order,
    expected_cost,
)

STEPS = strategies.builds(
    Step,
    strategies.just("source"),
    strategies.floats(0, 1e6),
    strategies.floats(1e-6, 1),
)


def answered(
    source: str, *, ended: int, passed_on: int, hit: float = 0.0, miss: float = 0.0
) -> AnsweredLookups:
    """Lookups with one price for a hit and one for a miss."""
    return AnsweredLookups(
        source=source,
        ended=_charged(ended, Decimal(repr(hit))),
        passed_on=_charged(passed_on, Decimal(repr(miss))),
    )


def _charged(count: int, price: Decimal) -> Charges:
    return Charges(list_price=price).plus(count, price)


@given(strategies.lists(STEPS, min_size=1, max_size=5))
def test_no_order_is_cheaper_than_that_of_the_ratio(steps: list[Step]) -> None:
    cheapest = min(expected_cost(order) for order in permutations(steps))
    assert expected_cost(by_ratio(steps)) == pytest.approx(cheapest, rel=1e-9, abs=1e-9)


def test_the_expected_cost_is_that_of_a_million_lookups() -> None:
    steps, random, spent = [Step("a", 0.3, 0.4), Step("b", 0.5, 0.7)], Random(1), 0.0  # noqa: S311
    lookups = 1_000_000
    for _ in range(lookups):
        for step in steps:
            spent += step.charge
            if random.random() < step.probability:
                break
    assert expected_cost(steps) == pytest.approx(spent / lookups, rel=0.01)


def test_a_source_that_is_free_comes_first_and_saves_what_it_finds() -> None:
    vendor = answered("vendor", ended=500, passed_on=500, hit=1.0)
    free = answered("contacts", ended=250, passed_on=750)
    found = cheapest_order([vendor, free])
    assert (found.sources, found.is_present) == (["contacts", "vendor"], False)
    assert found.present_cost == pytest.approx(0.5)
    assert found.cost == pytest.approx(0.375, rel=0.01)
    assert found.least_saving < 0.125 < found.most_saving
    assert found.certainty == 1.0


def test_a_vendor_that_is_paid_for_misses_too_comes_after_one_that_is_not() -> None:
    every_call = answered("every-call", ended=50, passed_on=150, hit=1.0, miss=1.0)
    hits = answered("hits", ended=50, passed_on=150, hit=2.0)
    found = cheapest_order([every_call, hits])
    assert found.sources == ["hits", "every-call"]
    assert found.certainty > 0.99


def test_of_equal_sources_the_present_order_is_kept_without_a_claim_to_a_saving() -> None:
    one, other = (
        answered(name, ended=10, passed_on=20, hit=0.3, miss=0.3) for name in ("one", "other")
    )
    found = cheapest_order([one, other])
    assert (found.sources, found.is_present) == (["one", "other"], True)
    assert (found.least_saving, found.most_saving) == (0.0, 0.0)
    assert found.certainty == pytest.approx(0.5, abs=0.05)


def test_a_vendor_that_never_had_a_hit_is_taken_at_its_list_price() -> None:
    never = answered("never", ended=0, passed_on=40, hit=5.0)
    often = answered("often", ended=20, passed_on=20, hit=1.0)
    assert cheapest_order([never, often]).sources == ["often", "never"]


def test_the_same_history_gives_the_same_figures() -> None:
    sources = [
        answered("one", ended=30, passed_on=70, hit=0.3, miss=0.1),
        answered("other", ended=40, passed_on=80, hit=0.4, miss=0.1),
    ]
    assert cheapest_order(sources) == cheapest_order(sources)


def test_nine_of_ten_intervals_hold_the_true_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 200 histories of 150 lookups is drawn from sources whose figures are known."""
    monkeypatch.setattr(source_order, "DRAWS", 300)
    random = Random(7)  # noqa: S311
    held = [_holds_the_true_saving(random) for _ in range(200)]
    assert 0.84 * len(held) <= sum(held) <= 0.96 * len(held)


def _holds_the_true_saving(random: Random) -> bool:
    true = {"one": (1.0, 0.8, 0.35), "other": (0.6, 0.2, 0.45)}  # of a hit, of a miss, probability
    histories = []
    for name, (hit, miss, probability) in true.items():
        ended = [
            hit * random.uniform(0.5, 1.5) for _ in range(150) if random.random() < probability
        ]
        passed_on = [miss * random.uniform(0.5, 1.5) for _ in range(150 - len(ended))]
        histories.append(
            AnsweredLookups(source=name, ended=_sums(ended), passed_on=_sums(passed_on))
        )
    steps = {
        name: Step(name, probability * hit + (1 - probability) * miss, probability)
        for name, (hit, miss, probability) in true.items()
    }
    found = cheapest_order(histories)
    saving = expected_cost([*steps.values()]) - _true_cost(found, steps)
    return found.least_saving <= saving <= found.most_saving


def _true_cost(found: CheapestOrder, steps: dict[str, Step]) -> float:
    return expected_cost([steps[name] for name in found.sources])


def _sums(charges: list[float]) -> Charges:
    sums = Charges()
    for charge in charges:
        sums = sums.plus(1, Decimal(repr(charge)))
    return sums
