"""The server works with chat clients on other SDKs and on older versions of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.compat.hosts import Host

pytestmark = pytest.mark.compat

NEWEST = "2026-07-28"
TOOLS = [
    "request_email_enrichment",
    "request_email_enrichments",
    "get_enrichment",
    "wait_for_enrichment",
    "get_credits",
]


def test_each_host_speaks_the_newest_version_that_it_knows(
    host: Host, verdict: dict[str, Any]
) -> None:
    assert verdict["protocol"] == host.speaks


def test_each_host_lists_the_four_tools(verdict: dict[str, Any]) -> None:
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
    first_of_each = {total: elapsed for elapsed, total in reversed(verdict["progress"])}
    assert set(first_of_each) == {45, 10}, "the most seconds that each wait may take"
    assert 3 <= first_of_each[45] < 45
    assert 3 <= first_of_each[10] < 10


def test_a_host_that_cancels_a_wait_goes_on_and_so_does_the_lookup(verdict: dict[str, Any]) -> None:
    again = verdict["waited_again"]
    assert [one["status"] for one in again["enrichments"]] == ["processing"]
    assert again["timeout_applied"]


def test_a_cancelled_wait_is_not_heard_of_again(host: Host, verdict: dict[str, Any]) -> None:
    """The second wait lasts longer than the time after which the cancelled one would report.

    Versions before the newest cancel with a separate message, which over HTTP may reach another
    process: then the wait continues to its end.
    """
    reaches_the_wait = verdict["transport"] == "stdio" or host.speaks == NEWEST
    assert verdict["late"] == [] or not reaches_the_wait
