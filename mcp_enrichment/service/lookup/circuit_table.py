"""Statements on sources that fail: at how many questions in a row, and until when each is paused.

All processes of a database share it. A source without a row is well.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from mcp_enrichment.service.db.schema import circuit_breakers as health
from mcp_enrichment.service.db.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """A row of `source_health`."""

    source: str
    failures: int
    """Questions in a row that it failed at."""
    reason: str
    """The last of them: `unavailable`, why an answer was lost, or the `Reason` of a refusal."""
    open_until: float | None = None
    """Seconds since the epoch; None where it is asked all the same."""


def get(connection: Connection, source: str, *, to_change: bool = False) -> Circuit | None:
    """How a source is; None where it is well. `to_change`: nobody else changes it before the
    transaction ends."""
    this = select(health).where(health.c.source == source)
    row = connection.execute(this.with_for_update() if to_change else this).first()
    return Circuit(**row._mapping) if row else None


def put(connection: Connection, now: Circuit) -> None:
    """Write down how a source is."""
    values = asdict(now)
    new = upsert(connection, health).values(values)
    connection.execute(new.on_conflict_do_update(index_elements=["source"], set_=values))


def claim_probe(connection: Connection, seen: Circuit, *, until: float) -> bool:
    """Claim the one question put to a source after its pause; False where another process was
    faster."""
    this = (health.c.source == seen.source) & (health.c.open_until == seen.open_until)
    return connection.execute(update(health).where(this).values(open_until=until)).rowcount == 1


def close(connection: Connection, source: str) -> None:
    """The source is well."""
    connection.execute(delete(health).where(health.c.source == source))
