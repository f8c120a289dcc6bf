"""What a user relies on whose chat client is built on another SDK than ours, or on an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.compat.hosts import Host

pytestmark = pytest.mark.compat

TOOLS = ["request_email_enrichment", "get_enrichment", "wait_for_enrichment", "get_credits"]


def test_it_speaks_the_newest_version_that_it_knows(host: Host, verdict: dict[str, Any]) -> None:
    assert verdict["protocol"] == host.speaks


def test_it_lists_the_four_tools(verdict: dict[str, Any]) -> None:
    assert verdict["tools"] == TOOLS


def test_a_call_finds_the_address(verdict: dict[str, Any]) -> None:
    assert verdict["text"]["email"] == "ada.okafor@example.com"
    assert verdict["text"]["is_final"]


def test_the_structured_answer_is_the_text_as_data(verdict: dict[str, Any]) -> None:
    assert verdict["structured"] == verdict["text"]


def test_an_error_says_which_one_it_is(verdict: dict[str, Any]) -> None:
    assert verdict["refused"] == [True, "unknown_enrichment"]
    assert verdict["unknown_tool"] == -32602


def test_a_wait_tells_its_progress(verdict: dict[str, Any]) -> None:
    first, second = verdict["progress"]
    assert (first[1], second[1]) == (45, 5), "the seconds that each may take at most"
    assert 3 <= first[0] < 45
    assert 3 <= second[0] < 5


def test_a_cancelled_wait_ends_and_the_lookup_goes_on(verdict: dict[str, Any]) -> None:
    """The second wait outlasts the time after which the cancelled one would tell of itself."""
    again = verdict["waited_again"]
    assert [one["status"] for one in again["enrichments"]] == ["processing"]
    assert again["timeout_applied"]
    assert verdict["late"] == []
