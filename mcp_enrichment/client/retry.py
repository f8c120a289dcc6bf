"""When to ask again: decisions only, so that they can be tested without waiting."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_enrichment.contract.errors import EnrichmentError

FIRST_BACKOFF = 0.5
"""Seconds; the upper bound of the first pause. Each further bound is twice as high."""
LONGEST_BACKOFF = 8.0

WEBHOOK_POLL_INTERVAL = 60.0
"""Seconds between two polls of a lookup whose end is to be pushed: in case the push is lost."""


def backoff(error: EnrichmentError, failures: int) -> float | None:
    """Seconds to wait after so many failures in a row; None where asking again cannot help.

    Full jitter over a bound that doubles, and never sooner than `Retry-After` asks.
    """
    if not error.retryable:
        return None
    bound = min(FIRST_BACKOFF * 2 ** min(failures - 1, 10), LONGEST_BACKOFF)
    return max(random.uniform(0, bound), error.retry_after or 0.0)  # noqa: S311
