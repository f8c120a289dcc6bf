"""The header `Retry-After`, which servers and receivers of callbacks both may send."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 86_400.0
"""Seconds; a longer one is taken for this."""


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from now that it asks for (RFC 9110, section 10.2.3), in either form, or None."""
    if value is None:
        return None
    if (text := value.strip()).isdecimal():
        return min(float(text), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
