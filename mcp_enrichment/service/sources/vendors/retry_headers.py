"""The wait that a vendor requests, in any of the headers in use."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_enrichment.contract.http import MAX_RETRY_AFTER, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

_WINDOWS = ("second", "minute", "hourly", "daily")
"""In `x-daily-reset-seconds` and `x-daily-request-left` (Prospeo)."""
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_EPOCH, _EPOCH_MS = 1e9, 1e11
"""From these values on, a number is a time since 1970, in seconds or in milliseconds."""


def retry_wait(headers: Mapping[str, str], *, is_limit: bool) -> float | None:
    """Seconds from now, at most a day; None if no header states them.

    `is_limit`: the response means too many requests. Only then do the headers for the end of a
    window mean that no request succeeds before it.
    """
    stated = [parse_retry_after(headers.get("retry-after"))]
    if is_limit:
        stated.append(_window_end(headers))
    present = [seconds for seconds in stated if seconds is not None]
    if present:
        return max(present)
    return _reset(headers) if is_limit else None


def _window_end(headers: Mapping[str, str]) -> float | None:
    """The end of the longest window that is used up. If none is stated as such, of the shortest."""
    ends = [
        (
            _seconds(headers.get(f"x-{window}-reset-seconds")),
            headers.get(f"x-{window}-request-left"),
        )
        for window in _WINDOWS
    ]
    used_up = [end for end, left in ends if end is not None and left == "0"]
    unstated = [end for end, left in ends if end is not None and left is None]
    return max(used_up, default=None) if used_up else min(unstated, default=None)


def _reset(headers: Mapping[str, str]) -> float | None:
    stated = (_seconds(headers.get(name)) for name in _RESETS)
    return next((seconds for seconds in stated if seconds is not None), None)


def _seconds(value: str | None) -> float | None:
    """Seconds from now, for a number of seconds, a time since 1970 or a date (ISO 8601 or HTTP)."""
    number = _number(value)
    if number is None:
        return _until_date(value)
    if number >= _EPOCH:
        number = (number / 1000 if number >= _EPOCH_MS else number) - time.time()
    return min(max(number, 0.0), MAX_RETRY_AFTER)


def _number(value: str | None) -> float | None:
    digits = (value or "").strip()
    is_number = digits.isascii() and digits.replace(".", "", 1).isdecimal()
    return float(digits) if is_number else None


def _until_date(value: str | None) -> float | None:
    try:
        date = datetime.fromisoformat((value or "").strip())
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return parse_retry_after(value)
    return min(max(at - time.time(), 0.0), MAX_RETRY_AFTER)
