"""The lookups of the queue, by the cause of their waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

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
    source: str | None
    """The source at capacity that they wait for."""
    count: int

    @property
    def cause(self) -> str:
        """The cause in words, with the state of those that a worker has."""
        if self.is_running:
            return "with a worker"
        return f"for a free place at {self.source}" if self.source else "for a worker"


def waiting_lookups(connection: Connection) -> Sequence[WaitingLookups]:
    """The lookups of the queue by what they wait for, most first."""
    is_running, count = jobs.c.lease_owner.is_not(None), func.count().label("count")
    states = select(is_running.label("is_running"), jobs.c.waits_for.label("source"), count)
    of_kind = states.where(jobs.c.kind == JobKind.LOOK_UP).group_by(is_running, jobs.c.waits_for)
    rows = connection.execute(of_kind.order_by(count.desc()))
    return [
        WaitingLookups(
            is_running=bool(row.is_running), source=row.source, count=row._mapping["count"]
        )
        for row in rows
    ]
