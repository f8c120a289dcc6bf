"""Totals of the queue and the ledger, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.job import JobKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The totals of the queue and the ledger."""

    jobs_waiting: Mapping[str, int]
    """By kind of job, with the running ones."""
    oldest_job_seconds: float
    """Seconds since the oldest due job became due; 0 if no job is due."""
    credits: Mapping[str, int]
    """Of all teams together: `available` and `held`, and what was ever `granted`, `corrected`,
    `settled` and `released`. The first two add up to granted + corrected - settled."""


async def totals(service: ServiceContext) -> Totals:
    """Read in one transaction."""
    now = service.clock()

    def read(connection: Connection) -> Totals:
        oldest = sqlite_queue.oldest_run_at(connection)
        return Totals(
            jobs_waiting={kind.value: 0 for kind in JobKind} | sqlite_queue.waiting(connection),
            oldest_job_seconds=max(now - oldest, 0.0) if oldest is not None else 0.0,
            credits=teams.credit_totals(connection),
        )

    return await service.database.read(read)
