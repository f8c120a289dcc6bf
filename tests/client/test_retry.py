"""The backoff between retries (tested without waiting)."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.client import retry
from mcp_enrichment.contract import errors
from mcp_enrichment.contract.errors import (
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    StorageFault,
)
from mcp_enrichment.contract.http import MAX_RETRY_AFTER, parse_retry_after


@pytest.fixture(autouse=True)
def _real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0.5)
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", 8.0)


def test_only_transient_errors_are_retried() -> None:
    assert retry.backoff(RateLimited(), 1) is not None
    assert retry.backoff(ServiceUnavailable(), 1) is not None
    assert retry.backoff(StorageFailed(StorageFault.BUSY), 1) is not None
    assert retry.backoff(StorageFailed(StorageFault.FULL), 1) is None
    for kind in errors.PermanentError.__subclasses__():
        if hasattr(kind, "explanation"):  # a class without one gets it where it is raised
            assert retry.backoff(kind(), 1) is None


@pytest.mark.parametrize(("failures", "bound"), [(1, 0.5), (2, 1), (3, 2), (5, 8), (2000, 8)])
def test_pauses_are_spread_over_the_whole_of_a_bound_that_doubles(
    failures: int, bound: float
) -> None:
    pauses = [retry.backoff(ServiceUnavailable(), failures) or 0.0 for _ in range(2000)]
    assert max(pauses) <= bound
    assert max(pauses) > 0.9 * bound
    assert min(pauses) < 0.1 * bound
    assert sum(pauses) / len(pauses) == pytest.approx(bound / 2, rel=0.1)


def test_no_retry_is_sooner_than_retry_after() -> None:
    pauses = {retry.backoff(RateLimited(retry_after=30), n) for n in range(1, 50)}
    assert pauses == {30}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 7 ", 7),
        ("9" * 400, MAX_RETRY_AFTER),
        ("Thu, 01 Jan 1970 01:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Fri, 99 Xxx 2026 25:61:61 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value) == seconds


def test_a_retry_after_date_becomes_seconds_from_now() -> None:
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    assert parse_retry_after(in_an_hour) == pytest.approx(3600, abs=5)


@given(st.text(st.characters(max_codepoint=255)) | st.text("0123456789 ,:+-GMTFrioctDe"))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    seconds = parse_retry_after(value)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER
