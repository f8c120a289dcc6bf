"""docs/reliability.md names every check of a promise, and only tests that exist."""

from __future__ import annotations

import re

from tests.support.fresh_copy import ROOT
from tests.support.invariants import AT_THE_END

PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ELSEWHERE = {"callbacks_fit_the_contract"}
"""Checks of what other pages promise."""


def test_the_page_names_each_check_that_holds_at_the_end_of_a_world() -> None:
    checks = {check.__name__ for check in AT_THE_END} - ELSEWHERE
    assert not {name for name in checks if f"`{name}`" not in PAGE}


def test_each_regression_test_of_the_page_exists() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert not [name for name in named if f"def {name}(" not in tests]


def test_each_path_of_the_page_exists() -> None:
    paths = re.findall(r"`(tests/[\w./]+)`", PAGE)
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]
