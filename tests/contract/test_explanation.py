"""An explanation of an error gives an assistant its next call, and a person what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.errors import RateLimited, StorageFailed, StorageFault
from mcp_enrichment.contract.linkedin_url import ProfileURLError, URLProblem
from mcp_enrichment.mcp.tools import TOOLS
from tests.support.explanations import every_explanation, next_step_explanations

if TYPE_CHECKING:
    from mcp_enrichment.contract.explanation import Explanation

REFUSALS = {f"refusal {kind}": ProfileURLError(kind).explanation for kind in URLProblem}
ALL = every_explanation() | REFUSALS

TO_AN_ASSISTANT = re.compile(
    r"\b(the user|the model|tell|call again|call wait|do not (retry|request|construct)|is_final"
    r"|requested again|(same|these) arguments"
    rf"|force_refresh|{'|'.join(tool.name for tool in TOOLS)})\b",
    re.IGNORECASE,
)
MONEY = re.compile(r"charged|cost|paid|free|credit|changed", re.IGNORECASE)
WHAT_AN_ASSISTANT_DOES = re.compile(
    r"\b(call|tell the user|ask the user|correct|use an id|do not request|say so when|requested"
    rf"|{'|'.join(tool.name for tool in TOOLS)})\b",
    re.IGNORECASE,
)


def test_all_that_is_explained_is_read_here() -> None:
    names = " ".join(ALL)
    for expected in (
        "UnusableAddress",
        "KeyringUnreadable",
        "UnexpectedError",
        "DeadlineExceeded",
        "MAY_NOT_SPEND",
    ):
        assert expected in names
    assert {f"StorageFailed {fault}" for fault in StorageFault} < set(ALL)
    assert len(next_step_explanations()) > 15


@pytest.mark.parametrize("explained", ALL.values(), ids=ALL)
def test_a_person_at_a_terminal_is_never_spoken_to_as_an_assistant(explained: Explanation) -> None:
    assert not TO_AN_ASSISTANT.search(explained.to_person())


@pytest.mark.parametrize("explained", ALL.values(), ids=ALL)
def test_each_reader_is_told_what_happened_what_it_did_to_money_and_what_to_do(
    explained: Explanation,
) -> None:
    assert MONEY.search(explained.money)
    fields = [explained.happened, explained.money, explained.for_person]
    assert explained.to_person() == " ".join(fields)
    if explained.for_assistant is not None:
        fields.append(explained.for_assistant)
        assert WHAT_AN_ASSISTANT_DOES.search(explained.for_assistant)
        assert explained.to_assistant() == f"{explained.facts} {explained.for_assistant}"
    for field in fields:
        assert re.fullmatch(r"[\[A-Za-z`].*[.)]", field), "whole sentences"


@pytest.mark.parametrize(
    "explained", next_step_explanations().values(), ids=next_step_explanations()
)
def test_a_next_step_tells_an_assistant_something_of_its_own(explained: Explanation) -> None:
    assert explained.for_assistant


def test_seconds_to_wait_are_told_to_either_reader() -> None:
    error = RateLimited(retry_after=7.2)
    assert "(Wait 8 seconds first.)" in error.to_person()
    assert "(Wait 8 seconds first.)" in error.to_assistant()


def test_an_error_says_what_was_stored_before_the_fault() -> None:
    error = StorageFailed(StorageFault.FULL, done="12 rows are stored, and nothing was charged.")
    for told in (error.to_person(), error.to_assistant()):
        assert "12 rows are stored" in told
        assert "Nothing was started" not in told
