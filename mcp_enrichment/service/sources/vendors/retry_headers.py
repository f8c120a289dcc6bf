"""How long a vendor asks to wait, in whichever header it says so."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_enrichment.contract.http import MAX_RETRY_AFTER, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

_WINDOWS = ("second", "minute", "hourly", "daily")
"""Of `x-daily-reset-seconds`, beside `x-daily-request-left` (Prospeo)."""
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_EPOCH, _EPOCH_MS = 1e9, 1e11
"""From here on a number is a moment since 1970, in seconds or in milliseconds."""


def retry_wait(headers: Mapping[str, str], *, is_limit: bool) -> float | None:
    """Seconds from now, at most a day; None where it does not say.

    `is_limit`: whether the answer says that there were too many questions. Only then do the
    headers that tell the end of a window mean that nothing is answered before it.
    """
    asked = [parse_retry_after(headers.get("retry-after"))]
    if is_limit:
        asked.append(_used_up(headers))
    told = [seconds for seconds in asked if seconds is not None]
    if told:
        return max(told)
    return _reset(headers) if is_limit else None


def _used_up(headers: Mapping[str, str]) -> float | None:
    """The end of the longest window that is used up; where none says so, of the shortest one."""
    ends = [
        (
            _seconds(headers.get(f"x-{window}-reset-seconds")),
            headers.get(f"x-{window}-request-left"),
        )
        for window in _WINDOWS
    ]
    used_up = [end for end, left in ends if end is not None and left == "0"]
    told = [end for end, left in ends if end is not None and left is None]
    return max(used_up, default=None) if used_up else min(told, default=None)


def _reset(headers: Mapping[str, str]) -> float | None:
    told = (_seconds(headers.get(name)) for name in _RESETS)
    return next((seconds for seconds in told if seconds is not None), None)


def _seconds(value: str | None) -> float | None:
    """From now: of a number of seconds, a moment since 1970 or a date, in ISO 8601 or as HTTP has
    it."""
    moment = _number(value)
    if moment is None:
        return _until_date(value)
    if moment >= _EPOCH:
        moment = (moment / 1000 if moment >= _EPOCH_MS else moment) - time.time()
    return min(max(moment, 0.0), MAX_RETRY_AFTER)


def _number(value: str | None) -> float | None:
    digits = (value or "").strip()
    is_number = digits.isascii() and digits.replace(".", "", 1).isdecimal()
    return float(digits) if is_number else None


def _until_date(value: str | None) -> float | None:
    try:
        date = datetime.fromisoformat((value or "").strip())
        moment = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return parse_retry_after(value)
    return min(max(moment - time.time(), 0.0), MAX_RETRY_AFTER)
