"""Deletes expired data, hourly, one batch for each transaction."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from sqlalchemy import select, tuple_

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy import audit_log, personal_data_inventory
from mcp_enrichment.service.privacy.audit_log import Action, Actor
from mcp_enrichment.service.requests import idempotency_table

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection

    from mcp_enrichment.service.context import Retention, ServiceContext
    from mcp_enrichment.service.privacy.personal_data_inventory import Selection

logger = logging.getLogger(__name__)

RETENTION_EVERY = 3600.0
"""Seconds between two runs."""
BATCH = 500
"""Rows of one transaction: other writers wait for no more."""


async def delete_expired(service: ServiceContext) -> int:
    """Delete or redact all expired rows; the number of rows. Other processes may do so at once."""
    kept, total = service.retention, 0
    while await service.database.read(partial(_expired, kept=kept, now=service.clock(), limit=1)):
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


def _delete_batch(connection: Connection, *, kept: Retention, now: float) -> int:
    expired = _expired(connection, kept=kept, now=now, limit=BATCH)
    if not expired:
        return 0
    removed = personal_data_inventory.remove(connection, expired, at=now, reason=Reason.EXPIRED)
    audit_log.record(connection, Action.EXPIRE, actor=Actor.SERVICE, at=now, counts=removed)
    return sum(removed.values())


def _expired(connection: Connection, *, kept: Retention, now: float, limit: int) -> Selection:
    """The rows that are deleted next, all of one table; empty if there are none."""
    selected: Selection = {}
    if kept.answers is not None:
        completed = schema.requests.c.completed_at
        is_due = (completed < now - kept.answers) & schema.REDACTABLE
        selected = _first(connection, completed, is_due, limit)
    if not selected and kept.contacts is not None:
        selected = imported_before(connection, now - kept.contacts, limit=limit)
    return selected


def imported_before(connection: Connection, before: float, *, limit: int) -> Selection:
    """The first rows that were imported before this time; empty if there are none."""
    for table in (schema.contact_emails, schema.contact_persons):
        imported = table.c.imported_at
        if selected := _first(connection, imported, imported < before, limit):
            return selected
    return {}


def _first(
    connection: Connection, at: Column[Any], condition: ColumnElement[bool], limit: int
) -> Selection:
    key = at.table.primary_key
    these = select(*key).where(condition).order_by(at).limit(limit)
    # A process that deletes them at the same time is waited for.
    keys = [tuple(row) for row in connection.execute(these.with_for_update())]
    return {at.table: tuple_(*key).in_(keys)} if keys else {}


async def run_retention(service: ServiceContext) -> None:
    """Delete expired data, at once and then hourly, until cancelled."""
    while True:
        with log_and_continue(logger, "expired data cannot be deleted"):
            if deleted := await delete_expired(service):
                logger.info("%d expired rows were deleted or emptied", deleted)
        with log_and_continue(logger, "old idempotency keys cannot be deleted"):
            await delete_expired_keys(service)
        await anyio.sleep(RETENTION_EVERY)
