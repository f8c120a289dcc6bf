"""The planted faults fit the code: each patch changes one line that is there."""

from __future__ import annotations

import ast
from difflib import ndiff
from typing import TYPE_CHECKING

import pytest

from tests.simulation.mutants import ROOT, Mutant, mutants
from tests.simulation.mutants.hunt import hunt

if TYPE_CHECKING:
    from pathlib import Path

LEAST = 30


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_each_mutant_changes_one_line_of_the_code(mutant: Mutant, tmp_path: Path) -> None:
    original = (ROOT / mutant.path).read_text("utf-8")
    copy = tmp_path / mutant.path
    copy.parent.mkdir(parents=True)
    copy.write_text(original, "utf-8")
    mutant.plant(tmp_path)
    planted = copy.read_text("utf-8")
    ast.parse(planted)
    changed = [line[0] for line in ndiff(original.splitlines(), planted.splitlines())]
    assert changed.count("-") == 1
    assert changed.count("+") <= 1


def test_each_mutant_says_in_a_sentence_which_promise_it_breaks() -> None:
    promises = [mutant.promise for mutant in mutants()]
    assert len(promises) >= LEAST
    assert all(promise[0].isupper() and promise.endswith(".") for promise in promises)


@pytest.mark.parametrize(
    ("name", "invariant"),
    [
        ("attempt-not-stored", "callbacks_are_tried_three_times_at_most"),
        ("credit-not-held", "credits_are_conserved"),
    ],
)
def test_the_simulation_finds_a_planted_fault(name: str, invariant: str, tmp_path: Path) -> None:
    [mutant] = mutants(name)
    hunted = hunt(tmp_path, mutant, first=1, at_most=200, times=1)
    [find] = hunted.finds
    assert find
    assert find.by == invariant
