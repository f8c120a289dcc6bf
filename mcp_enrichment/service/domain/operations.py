"""What there is to see for those who run the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.store import jobs, teams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Service


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The queue and the ledger as they stand."""

    jobs_waiting: Mapping[str, int]
    """By kind of job; those being worked on count."""
    oldest_job_seconds: float
    """Since when the job that is due longest is due; 0 where none is."""
    credits: Mapping[str, int]
    """`available` and `held`, of all teams together."""


async def answers(service: Service) -> None:
    """Return where the database answers. Raises `StorageFailed`."""
    await service.database.check()


async def totals(service: Service) -> Totals:
    """Read in one transaction."""
    now = service.clock()

    def read(connection: Connection) -> Totals:
        available, held = teams.sums(connection)
        oldest = jobs.oldest_due(connection)
        return Totals(
            jobs_waiting={kind.value: 0 for kind in jobs.JobKind} | jobs.waiting(connection),
            oldest_job_seconds=max(now - oldest, 0.0) if oldest is not None else 0.0,
            credits={"available": available, "held": held},
        )

    return await service.database.read(read)
