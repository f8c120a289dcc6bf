"""A call that is made again for a while, where that can help and costs nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_enrichment.client import retry
from mcp_enrichment.contract.errors import EnrichmentError, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def _no_other(_error: EnrichmentError) -> bool:
    return False


def _as_transient(error: EnrichmentError) -> EnrichmentError:
    return ServiceUnavailable(retry_after=error.retry_after)


async def with_retries(
    call: Callable[[], Awaitable[T]],
    *,
    seconds: float,
    may_repeat: Callable[[EnrichmentError], bool] = _no_other,
) -> T:
    """What the call comes to; the error that it last ended with where no pause is left in so many
    seconds. `may_repeat` tells of further errors, beside those that pass, that a repeat is safe."""
    deadline, failures = anyio.current_time() + seconds, 0
    while True:
        try:
            return await call()
        except EnrichmentError as error:
            failures += 1
            passing = _as_transient(error) if may_repeat(error) else error
            pause = retry.backoff(passing, failures)
            if pause is None or anyio.current_time() + pause > deadline:
                raise
        await anyio.sleep(pause)
