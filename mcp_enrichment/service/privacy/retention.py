"""Deletes expired data, hourly, one batch for each transaction."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.privacy import audit_log, personal_data_inventory
from mcp_enrichment.service.privacy.audit_log import Action, Actor
from mcp_enrichment.service.requests import idempotency_table
from mcp_enrichment.service.requests.submission import IDEMPOTENCY_SECONDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.context import Retention, ServiceContext

logger = logging.getLogger(__name__)

RETENTION_EVERY = 3600.0
"""Seconds between two runs."""
BATCH = 500
"""Rows of one transaction: other writers wait for no more."""


async def delete_expired(service: ServiceContext) -> int:
    """Delete or redact all expired rows; the number of rows. Other processes may do so at once."""
    kept, total = service.retention, 0
    while await service.database.read(partial(_is_due, kept=kept, now=service.clock())):
        delete = partial(_delete_batch, kept=kept, now=service.clock())
        total += await service.database.write(delete)
    return total


async def delete_expired_keys(service: ServiceContext) -> int:
    """Delete the expired idempotency keys; their number."""
    total, deleted = 0, BATCH
    while deleted == BATCH:
        before = service.clock() - IDEMPOTENCY_SECONDS
        drop = partial(idempotency_table.delete_older, before=before, limit=BATCH)
        deleted = await service.database.write(drop)
        total += deleted
    return total


def _is_due(connection: Connection, *, kept: Retention, now: float) -> bool:
    return _expired(connection, kept, now, limit=1) is not None


def _delete_batch(connection: Connection, *, kept: Retention, now: float) -> int:
    choice = _expired(connection, kept, now, limit=BATCH)
    if choice is None:
        return 0
    removed = personal_data_inventory.remove(connection, choice, at=now, reason=Reason.EXPIRED)
    audit_log.record(connection, Action.EXPIRE, actor=Actor.SERVICE, at=now, counts=removed)
    return sum(removed.values())


def _expired(
    connection: Connection, kept: Retention, now: float, *, limit: int
) -> personal_data_inventory.RowFilter | None:
    """The rows that are deleted next."""
    found = None
    if kept.answers is not None:
        found = personal_data_inventory.completed_before(
            connection, now - kept.answers, limit=limit
        )
    if found is None and kept.contacts is not None:
        found = personal_data_inventory.imported_before(
            connection, now - kept.contacts, limit=limit
        )
    return found


async def run_retention(service: ServiceContext) -> None:
    """Delete expired data, at once and then hourly, until cancelled."""
    while True:
        with log_and_continue(logger, "expired data cannot be deleted"):
            if deleted := await delete_expired(service):
                logger.info("%d expired rows were deleted or emptied", deleted)
        with log_and_continue(logger, "old idempotency keys cannot be deleted"):
            await delete_expired_keys(service)
        await anyio.sleep(RETENTION_EVERY)
