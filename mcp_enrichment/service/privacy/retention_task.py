"""Deletes expired data and old idempotency keys, hourly, while a service runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.privacy.retention import delete_expired, delete_expired_keys

if TYPE_CHECKING:
    from mcp_enrichment.service.context import ServiceContext

logger = logging.getLogger(__name__)

RETENTION_EVERY = 3600.0
"""Seconds between two looks."""


async def run_retention(service: ServiceContext) -> None:
    """Delete what has been kept for its time, at once and from then on, until cancelled."""
    while True:
        with log_and_continue(logger, "expired data cannot be deleted"):
            if deleted := await delete_expired(service):
                logger.info("%d expired rows were deleted or emptied", deleted)
        with log_and_continue(logger, "old idempotency keys cannot be deleted"):
            await delete_expired_keys(service)
        await anyio.sleep(RETENTION_EVERY)
