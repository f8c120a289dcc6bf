"""The lookups of the queue, by the cause of their waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, desc, func, select

from mcp_enrichment.service.db.schema import jobs
from mcp_enrichment.service.queue.job import JobKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingLookups:
    """Lookups that are in the same state."""

    is_running: bool
    """Whether a worker has them."""
    is_later: bool
    """Whether they are to run later, when a source may be asked again."""
    source: str | None
    """The source at capacity that they wait for."""
    count: int
    next_at: float
    """When the first of them is due, in seconds since the epoch."""

    @property
    def cause(self) -> str:
        """The cause in words, with the state of those that a worker has."""
        if self.is_running:
            return "with a worker"
        if self.source:
            return f"for a free place at {self.source}"
        return "for a source that cannot be asked yet" if self.is_later else "for a worker"


def waiting_lookups(connection: Connection, *, now: float) -> Sequence[WaitingLookups]:
    """The lookups of the queue by what they wait for, most first."""
    later = and_(jobs.c.lease_owner.is_(None), jobs.c.waits_for.is_(None), jobs.c.run_at > now)
    states = select(
        jobs.c.lease_owner.is_not(None).label("is_running"),
        later.label("is_later"),
        jobs.c.waits_for.label("source"),
        func.count().label("how_many"),
        func.min(jobs.c.run_at).label("next_at"),
    ).where(jobs.c.kind == JobKind.LOOK_UP)
    rows = connection.execute(
        states.group_by("is_running", "is_later", "source").order_by(desc("how_many"))
    )
    return [
        WaitingLookups(
            is_running=bool(row.is_running),
            is_later=bool(row.is_later),
            source=row.source,
            count=row.how_many,
            next_at=row.next_at,
        )
        for row in rows
    ]
