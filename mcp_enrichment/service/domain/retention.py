"""Deleting what has been kept for its time, a batch a transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.domain.requests import KEYS_KEPT
from mcp_enrichment.service.store import audit, idempotency, personal
from mcp_enrichment.service.store.audit import Action, Actor

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Retention, Service

BATCH = 500
"""Rows of one transaction: whoever waits to write waits for no more."""


async def delete_expired(service: Service) -> int:
    """Delete all whose time is over, together with any other process that does; how many rows this
    one deleted or emptied."""
    kept, total = service.retention, 0
    while await service.database.read(partial(_is_due, kept=kept, now=service.clock())):
        delete = partial(_delete_batch, kept=kept, now=service.clock())
        total += await service.database.write(delete)
    return total


async def forget_keys(service: Service) -> int:
    """Delete the idempotency keys whose time is over; how many."""
    total, deleted = 0, BATCH
    while deleted == BATCH:
        than = service.clock() - KEYS_KEPT
        drop = partial(idempotency.drop_older, than=than, limit=BATCH)
        deleted = await service.database.write(drop)
        total += deleted
    return total


def _is_due(connection: Connection, *, kept: Retention, now: float) -> bool:
    return _expired(connection, kept, now, limit=1) is not None


def _delete_batch(connection: Connection, *, kept: Retention, now: float) -> int:
    choice = _expired(connection, kept, now, limit=BATCH)
    if choice is None:
        return 0
    removed = personal.remove(connection, choice, at=now, reason=Reason.EXPIRED)
    audit.write(connection, Action.EXPIRE, actor=Actor.SERVICE, at=now, counts=removed)
    return sum(removed.values())


def _expired(
    connection: Connection, kept: Retention, now: float, *, limit: int
) -> personal.Choice | None:
    """What is to be deleted next."""
    found = None
    if kept.answers is not None:
        found = personal.ended_before(connection, now - kept.answers, limit=limit)
    if found is None and kept.contacts is not None:
        found = personal.imported_before(connection, now - kept.contacts, limit=limit)
    return found
