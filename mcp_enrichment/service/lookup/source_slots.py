"""Statements on turns at a source: who waits for one, how many lookups are under way, and when the
next may begin.

They hold for all processes of a database: whoever asks for a turn has the source's row to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, tuple_, update

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection

RECHECK = 0.05
"""Seconds after which to ask again where others are first, or all places are taken."""
WAITER_LEASE = 2.0
"""Seconds without asking again after which a waiting lookup counts as gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What a source may be asked."""

    at_once: int | None = None
    """Lookups under way at the same time, in all processes together."""
    per_second: float | None = None
    """Lookups begun in a second."""


def acquire(
    connection: Connection, source: str, request_id: str, limit: Limit, *, now: float, lease: float
) -> float:
    """Let the request's lookup begin, and 0; else the seconds after which to ask again.

    Who asked first begins first. What has begun is under way until it is given back, or for `lease`
    seconds unless that is renewed; a lookup that is taken over from a process that died has begun.
    """
    next_at = _locked(connection, source)
    of_source = lookups.c.source == source
    connection.execute(delete(lookups).where(of_source, lookups.c.until <= now))
    mine = of_source & (lookups.c.request_id == request_id)
    found = connection.execute(select(lookups.c.asked_at, lookups.c.has_begun).where(mine)).first()
    if found and found.has_begun:
        return 0.0
    asked_at = found.asked_at if found else now
    wait = _wait(connection, source, limit, asked_at=asked_at, next_at=next_at, now=now)
    until = now + wait + WAITER_LEASE if wait else now + lease
    row = {"asked_at": asked_at, "has_begun": not wait, "until": until}
    if found:
        connection.execute(update(lookups).where(mine).values(row))
    else:
        key = {"source": source, "request_id": request_id}
        connection.execute(insert(lookups).values(row | key))
    return wait


def renew(connection: Connection, held: Collection[tuple[str, str]], *, until: float) -> None:
    """These lookups, by source and request, are still under way."""
    these = tuple_(lookups.c.source, lookups.c.request_id).in_(held)
    connection.execute(update(lookups).where(these).values(until=until))


def release(connection: Connection, source: str, request_id: str) -> None:
    """The request's lookup is no longer under way, nor waiting."""
    mine = (lookups.c.source == source) & (lookups.c.request_id == request_id)
    connection.execute(delete(lookups).where(mine))


def _locked(connection: Connection, source: str) -> float:
    """When the next lookup may begin; until the transaction ends nobody else learns it."""
    this = select(turns.c.next_at).where(turns.c.source == source).with_for_update()
    next_at = connection.execute(this).scalar()
    if next_at is None:
        connection.execute(insert(turns).values(source=source, next_at=0.0))
    return next_at or 0.0


def _wait(
    connection: Connection,
    source: str,
    limit: Limit,
    *,
    asked_at: float,
    next_at: float,
    now: float,
) -> float:
    of_source = lookups.c.source == source
    first = of_source & ~lookups.c.has_begun & (lookups.c.asked_at < asked_at)
    under_way = of_source & lookups.c.has_begun
    if _count(connection, first):
        return RECHECK
    if limit.at_once is not None and _count(connection, under_way) >= limit.at_once:
        return RECHECK
    if limit.per_second is None:
        return 0.0
    if next_at > now:
        return next_at - now
    # Whoever is late by less than a gap has not lost it: sleepers wake a little after their time,
    # and the source would be asked less than it may be.
    gap = 1 / limit.per_second
    following = max(next_at, now - gap) + gap
    connection.execute(update(turns).where(turns.c.source == source).values(next_at=following))
    return 0.0


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    counted = select(func.count()).select_from(lookups).where(which)
    return connection.execute(counted).scalar_one()
