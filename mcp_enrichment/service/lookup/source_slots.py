"""SQL of the sources' limits: the lookups under way at a source, and when the next may begin.

They hold for all processes of a database: a transaction locks the source's row of `source_rate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, tuple_, update

from mcp_enrichment.service.db.schema import source_rate as rate
from mcp_enrichment.service.db.schema import source_slots as slots
from mcp_enrichment.service.db.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import ColumnElement, Connection

    from mcp_enrichment.service.queue.job import Job

RECHECK = 1.0
"""Seconds until a source whose slots are all taken is checked again: another process may have freed
one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupLimit:
    """The limits of a source, over all processes."""

    at_once: int | None = None
    """Lookups under way at the same time."""
    per_second: float | None = None
    """Lookups begun in a second."""


def acquire(
    connection: Connection,
    source: str,
    request_id: str,
    limit: LookupLimit,
    *,
    now: float,
    lease: float,
) -> float:
    """Take a slot for the request: 0; else the seconds until one may be free.

    The slot expires after `lease` seconds unless it is renewed. A request that has one keeps it,
    also in the process that takes over its job.
    """
    next_allowed_at = _lock(connection, source, now=now)
    if holds(connection, source, request_id, now=now):
        return 0.0
    if wait := _wait(connection, source, limit, next_allowed_at, now=now):
        return wait
    _take(connection, source, request_id, limit, next_allowed_at, now=now, lease=lease)
    return 0.0


def hand_out(
    connection: Connection,
    source: str,
    limit: LookupLimit,
    claim_next: Callable[[], Job | None],
    *,
    most: int,
    now: float,
    lease: float,
) -> tuple[list[Job], float | None]:
    """Claim up to `most` of the jobs that wait for this source, each with a slot; and the seconds
    until there may be another slot, None where no job waits any more."""
    claimed: list[Job] = []
    while True:
        next_allowed_at = _lock(connection, source, now=now)
        if wait := _wait(connection, source, limit, next_allowed_at, now=now):
            return claimed, wait
        if len(claimed) >= most:
            return claimed, RECHECK
        job = claim_next()
        if job is None:
            return claimed, None
        _take(connection, source, job.target_id, limit, next_allowed_at, now=now, lease=lease)
        claimed.append(job)


def holds(connection: Connection, source: str, request_id: str, *, now: float) -> bool:
    """Whether the request has a slot at this source."""
    mine = _mine(source, request_id) & (slots.c.expires_at > now)
    return connection.execute(select(slots.c.source).where(mine)).first() is not None


def renew(connection: Connection, held: Collection[tuple[str, str]], *, until: float) -> None:
    """Extend these slots, each a source and a request."""
    these = tuple_(slots.c.source, slots.c.request_id).in_(held)
    connection.execute(update(slots).where(these).values(expires_at=until))


def release(connection: Connection, source: str, request_id: str) -> None:
    """Give the request's slot back."""
    connection.execute(delete(slots).where(_mine(source, request_id)))


def _mine(source: str, request_id: str) -> ColumnElement[bool]:
    return (slots.c.source == source) & (slots.c.request_id == request_id)


def _lock(connection: Connection, source: str, *, now: float) -> float:
    """When the next lookup may begin. Other processes wait for this row; expired slots go."""
    this = select(rate.c.next_allowed_at).where(rate.c.source == source).with_for_update()
    next_allowed_at = connection.execute(this).scalar()
    if next_allowed_at is None:
        connection.execute(insert(rate).values(source=source, next_allowed_at=0.0))
    expired = (slots.c.source == source) & (slots.c.expires_at <= now)
    connection.execute(delete(slots).where(expired))
    return next_allowed_at or 0.0


def _wait(
    connection: Connection, source: str, limit: LookupLimit, next_allowed_at: float, *, now: float
) -> float:
    """0 where a slot is free; else the seconds until one may be."""
    if limit.at_once is not None:
        taken = select(func.count()).select_from(slots).where(slots.c.source == source)
        if connection.execute(taken).scalar_one() >= limit.at_once:
            return RECHECK
    return max(next_allowed_at - now, 0.0) if limit.per_second is not None else 0.0


def _take(
    connection: Connection,
    source: str,
    request_id: str,
    limit: LookupLimit,
    next_allowed_at: float,
    *,
    now: float,
    lease: float,
) -> None:
    slot = {"source": source, "request_id": request_id, "expires_at": now + lease}
    new = upsert(connection, slots).values(slot)
    # A job that was taken over may have the slot of the process that died.
    key = ["source", "request_id"]
    connection.execute(new.on_conflict_do_update(index_elements=key, set_=slot))
    if limit.per_second is not None:
        # Being late by less than a gap costs nothing: timers fire a little late, and the source
        # would otherwise be used below its rate.
        gap = 1 / limit.per_second
        following = max(next_allowed_at, now - gap) + gap
        this = update(rate).where(rate.c.source == source)
        connection.execute(this.values(next_allowed_at=following))
