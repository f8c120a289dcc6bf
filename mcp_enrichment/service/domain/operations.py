"""Readiness and totals, for those who run the service."""

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
    """How long the job has been due that is due longest; 0 where none is."""
    credits: Mapping[str, int]
    """Of all teams together: `available` and `held`, and what was ever `granted`, `corrected`,
    `settled` and `released`. The first two add up to granted + corrected - settled."""


async def check_database(service: Service) -> None:
    """Return where the database takes what is written to it. Raises `StorageFailed`."""
    await service.database.check()


async def totals(service: Service) -> Totals:
    """Read in one transaction."""
    now = service.clock()

    def read(connection: Connection) -> Totals:
        oldest = jobs.oldest_due(connection)
        return Totals(
            jobs_waiting={kind.value: 0 for kind in jobs.JobKind} | jobs.waiting(connection),
            oldest_job_seconds=max(now - oldest, 0.0) if oldest is not None else 0.0,
            credits=teams.sums(connection),
        )

    return await service.database.read(read)
