"""Waits in the background until a subscriber's enrichments are final."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_enrichment.mcp.runner import GetClient

logger = logging.getLogger(__name__)

ROUND = 600.0
"""Seconds of one wait; another follows."""
PAUSE = 5.0
"""Seconds until the next wait after one that failed in passing."""


async def when_final(
    get_client: GetClient, ids: Sequence[str], tell: Callable[[], Awaitable[None]]
) -> None:
    """Call `tell` once the enrichments are final: at once where they are. Raises nothing; where the
    service refuses for good, nothing is told."""
    try:
        if await _become_final(get_client, ids):
            await tell()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        logger.info("a subscriber left before it was told")
    except Exception as defect:  # noqa: BLE001 (one watch may not end all that the server does)
        logger.error("a subscription raised %s", safe_traceback(defect))  # noqa: TRY400 (without its text)


async def _become_final(get_client: GetClient, ids: Sequence[str]) -> bool:
    while True:
        try:
            client = await get_client()
            answers = await client.wait(ids, ROUND)
        except EnrichmentError as error:
            if not error.retryable:
                logger.info("a subscription ended: %s", error.code)
                return False
            await anyio.sleep(error.retry_after or PAUSE)
        else:
            if all(answer.is_final for answer in answers):
                return True
