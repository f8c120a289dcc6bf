"""When a failed call is repeated."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_enrichment.contract.errors import EnrichmentError, ServiceUnavailable

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


def _never(_error: EnrichmentError) -> bool:
    return False


async def with_retries(
    call: Callable[[], Awaitable[T]],
    *,
    seconds: float,
    may_repeat: Callable[[EnrichmentError], bool] = _never,
) -> T:
    """Call until it succeeds; raise the last error once the next pause would end too late.

    `may_repeat`: whether a repetition is safe after an error that is not retryable by itself.
    """
    deadline, failures = anyio.current_time() + seconds, 0
    while True:
        try:
            return await call()
        except EnrichmentError as error:
            failures += 1
            pause = backoff(_as_transient(error) if may_repeat(error) else error, failures)
            if pause is None or anyio.current_time() + pause > deadline:
                raise
        await anyio.sleep(pause)


def _as_transient(error: EnrichmentError) -> EnrichmentError:
    return ServiceUnavailable(retry_after=error.retry_after)
