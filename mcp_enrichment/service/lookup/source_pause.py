"""Ends the pause of a source, and lets the lookups go on that wait for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.service.lookup import circuit_breaker, source_call_table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.queue.job import Queue


def end_pause(connection: Connection, queue: Queue, source: str, *, at: float) -> None:
    """Let the source be called from this time on, in seconds since the epoch.

    Every rescheduled lookup becomes due, as none says which source it waits for. One that waits for
    another source uses one of its attempts.
    """
    circuit_breaker.close(connection, source)
    source_call_table.call_again(connection, source, at=at)
    queue.look_up_now(connection, at=at)
