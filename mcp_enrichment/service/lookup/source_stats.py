"""What the rows of `source_calls` come to, by source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.lookup.source_call_table import CallState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

LAST = 1000
"""Answers of a source whose seconds are looked at."""
_CAME = (CallState.HIT, CallState.MISS, CallState.REJECTED)


def counts(connection: Connection, source: str) -> dict[CallState, int]:
    """How many requests are in each state at a source."""
    mine = select(calls.c.state, func.count()).where(calls.c.source == source)
    rows = connection.execute(mine.group_by(calls.c.state))
    return {CallState(state): count for state, count in rows}


def asked_and_spent(connection: Connection, source: str) -> tuple[int, float]:
    """How often a source was asked, and what it has charged for it in its own credits."""
    sums = select(func.sum(calls.c.attempts), func.sum(calls.c.cost)).where(
        calls.c.source == source
    )
    asked, spent = connection.execute(sums).one()
    return asked or 0, spent or 0.0


def seconds(connection: Connection, source: str) -> Sequence[float]:
    """How long a source took for its last answers."""
    took = select(calls.c.answered_at - calls.c.requested_at)
    mine = took.where(calls.c.source == source, calls.c.state.in_(_CAME))
    last = mine.order_by(calls.c.answered_at.desc()).limit(LAST)
    return list(connection.execute(last).scalars())
