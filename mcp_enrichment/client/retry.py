"""Decides when a failed call is repeated."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

FIRST_BACKOFF = 0.5
"""Seconds: the longest first pause. Each further one is twice as long."""
LONGEST_BACKOFF = 8.0


def backoff(error: EnrichmentError, failures: int) -> float | None:
    """Seconds to wait after this many failures in a row; None if a repetition cannot help.

    Exponential backoff with full jitter, at least as long as `Retry-After`.
    """
    if not error.retryable:
        return None
    bound = min(FIRST_BACKOFF * 2 ** min(failures - 1, 10), LONGEST_BACKOFF)
    return max(random.uniform(0, bound), error.retry_after or 0.0)  # noqa: S311


class Retries:
    """The pauses between the attempts of one call, which all begin within some seconds."""

    def __init__(self, seconds: float) -> None:
        self._deadline = anyio.current_time() + seconds
        self._failures = 0

    def pause_after(self, error: EnrichmentError) -> float | None:
        """Seconds until the next attempt; None if it cannot help, or would begin too late."""
        self._failures += 1
        pause = backoff(error, self._failures)
        is_late = pause is not None and anyio.current_time() + pause > self._deadline
        return None if is_late else pause


async def with_retries(call: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Call until it succeeds; raise the last error once the next pause would end too late."""
    retries = Retries(seconds)
    while True:
        try:
            return await call()
        except EnrichmentError as error:
            pause = retries.pause_after(error)
            if pause is None:
                raise
        await anyio.sleep(pause)
