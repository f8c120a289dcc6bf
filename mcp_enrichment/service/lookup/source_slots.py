"""SQL of the sources' limits: the lookups under way at a source, and when the next may begin.

They hold for all processes of a database: a transaction locks the source's row of `source_rate`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, func, insert, select, tuple_, update

from mcp_enrichment.service.db.schema import source_rate as rate
from mcp_enrichment.service.db.schema import source_slots as slots
from mcp_enrichment.service.db.upsert import upsert_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Insert

    from mcp_enrichment.contract.source_limit import SourceLimit
    from mcp_enrichment.service.queue.job import Job

# Built once, as every lookup at a source with a limit executes them.
_MINE = and_(
    slots.c.source == bindparam("this_source"), slots.c.request_id == bindparam("this_request")
)
_HOLDS = select(slots.c.source).where(_MINE, slots.c.expires_at > bindparam("now"))
_RELEASE = delete(slots).where(_MINE)
_LOCK = select(rate.c.next_allowed_at).where(rate.c.source == bindparam("source")).with_for_update()
_ADD_RATE = insert(rate)
_DELETE_EXPIRED = delete(slots).where(
    slots.c.source == bindparam("this_source"), slots.c.expires_at <= bindparam("now")
)
_TAKEN = select(func.count()).select_from(slots).where(slots.c.source == bindparam("source"))
_ALLOW_NEXT = update(rate).where(rate.c.source == bindparam("this_source"))

RECHECK = 1.0
"""Seconds until a source whose slots are all taken is checked again: another process may have freed
one."""


def acquire(
    connection: Connection,
    source: str,
    request_id: str,
    limit: SourceLimit,
    *,
    now: float,
    lease: float,
) -> bool:
    """Take a slot for the request; False if none is free.

    The slot expires after `lease` seconds unless it is renewed. A request that has one keeps it,
    also in the process that takes over its job.
    """
    next_allowed_at = _lock(connection, source, now=now)
    if holds(connection, source, request_id, now=now):
        return True
    if _wait(connection, source, limit, next_allowed_at, now=now):
        return False
    _take(connection, source, request_id, limit, next_allowed_at, now=now, lease=lease)
    return True


def hand_out(
    connection: Connection,
    source: str,
    limit: SourceLimit,
    claim_next: Callable[[], Job | None],
    *,
    most: int,
    now: float,
    lease: float,
) -> tuple[list[Job], float | None]:
    """Claim up to `most` of the jobs that wait for this source, each with a slot; and the seconds
    until there may be another slot, None if no job waits any more."""
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
    mine = _mine(source, request_id) | {"now": now}
    return connection.execute(_HOLDS, mine).first() is not None


def renew(connection: Connection, held: Collection[tuple[str, str]], *, until: float) -> None:
    """Extend these slots, each a source and a request."""
    these = tuple_(slots.c.source, slots.c.request_id).in_(held)
    connection.execute(update(slots).where(these).values(expires_at=until))


def release(connection: Connection, source: str, request_id: str) -> None:
    connection.execute(_RELEASE, _mine(source, request_id))


def _mine(source: str, request_id: str) -> dict[str, str | float]:
    return {"this_source": source, "this_request": request_id}


def _lock(connection: Connection, source: str, *, now: float) -> float:
    """When the next lookup may begin. Other processes wait for this row; expired slots go."""
    next_allowed_at = connection.execute(_LOCK, {"source": source}).scalar()
    if next_allowed_at is None:
        connection.execute(_ADD_RATE, {"source": source, "next_allowed_at": 0.0})
    connection.execute(_DELETE_EXPIRED, {"this_source": source, "now": now})
    return next_allowed_at or 0.0


def _wait(
    connection: Connection, source: str, limit: SourceLimit, next_allowed_at: float, *, now: float
) -> float:
    """0 if a slot is free; else the seconds until one may be."""
    if limit.at_once is not None:
        taken = connection.execute(_TAKEN, {"source": source}).scalar_one()
        if taken >= limit.at_once:
            return RECHECK
    return max(next_allowed_at - now, 0.0) if limit.per_second is not None else 0.0


def _take(
    connection: Connection,
    source: str,
    request_id: str,
    limit: SourceLimit,
    next_allowed_at: float,
    *,
    now: float,
    lease: float,
) -> None:
    slot = {"source": source, "request_id": request_id, "expires_at": now + lease}
    connection.execute(_put(connection.dialect.name), slot)
    if limit.per_second is not None:
        # Being late by less than a gap costs nothing: timers fire a little late, and the source
        # would otherwise be used below its rate.
        gap = 1 / limit.per_second
        following = max(next_allowed_at, now - gap) + gap
        connection.execute(_ALLOW_NEXT, {"this_source": source, "next_allowed_at": following})


@cache
def _put(dialect: str) -> Insert:
    # A job that was taken over may have the slot of the process that died.
    new, key = upsert_of(dialect, slots), ["source", "request_id"]
    renewed = {"expires_at": new.excluded.expires_at}
    return new.on_conflict_do_update(index_elements=key, set_=renewed)
