"""The newest answers of each source. Older ones are not read, however many are stored."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, literal, select, union_all

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.db.schema import circuit_breakers, requests
from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.reports.call_history import ANSWERED, CallHistory, add_calls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Select

    from mcp_enrichment.service.lookup.circuit_breaker import Circuit

NEWEST = 200
"""The most answers of a source that are read."""
_ENDED = (*ANSWERED, CallState.LOST)


def _newest_answers() -> Select[Any]:
    """The newest of each state are read from the index, and the newest of these are chosen."""
    took = calls.c.answered_at - calls.c.requested_at
    columns = (calls.c.state, calls.c.verification, calls.c.cost, calls.c.answered_at)
    mine = (calls.c.source == bindparam("source"), calls.c.answered_at.is_not(None))
    most: Any = bindparam("most")
    each = [
        select(*columns, calls.c.request_id, took.label("took"))
        .where(*mine, calls.c.state == state)
        .order_by(calls.c.answered_at.desc())
        .limit(most)
        .subquery()
        for state in _ENDED
    ]
    every = union_all(*(select(one) for one in each)).subquery()
    newest = select(every).order_by(every.c.answered_at.desc()).limit(most).subquery()
    typed = select(newest, requests.c.type, literal(1).label("count"))
    return typed.join(requests, requests.c.id == newest.c.request_id)


_NEWEST_ANSWERS = _newest_answers()
"""Built once: building it takes longer than the database needs for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFigures:
    """The newest answers of a source."""

    source: str
    answers: int
    """With those that were lost."""
    hits: int
    lost: int
    """Answers that never came: each may have been charged."""
    credits: Decimal
    """The cost of these answers, in the source's own credits."""
    median_seconds: float | None
    """None if there is no answer."""
    last_at: float | None
    """The time of the newest answer, in seconds since the epoch."""
    circuit: Circuit | None
    """Its failures in a row; None: there are none."""

    @property
    def hit_rate(self) -> float | None:
        """The share of answers with an address; None without answers."""
        return self.hits / self.answers if self.answers else None

    @property
    def credits_per_address(self) -> Decimal | None:
        """None if no address was found."""
        return round(self.credits / self.hits, 4) if self.hits else None


def source_figures(connection: Connection, configured: Sequence[str]) -> Sequence[SourceFigures]:
    """The figures of these sources in this order, and of further ones that failed."""
    failing = set(connection.scalars(select(circuit_breakers.c.source))) - set(configured)
    return [_figures(connection, name) for name in (*configured, *sorted(failing))]


def recent_history(
    connection: Connection, configured: Sequence[str]
) -> Mapping[str, Mapping[EmailType, CallHistory]]:
    """The newest answers of each source, by the type of address, for `order_report`."""
    found: dict[str, dict[EmailType, CallHistory]] = {}
    for name in configured:
        by_type = found.setdefault(name, {})
        for row in _newest(connection, name):
            add_calls(by_type.setdefault(EmailType(row.type), CallHistory()), row)
    return found


def _figures(connection: Connection, name: str) -> SourceFigures:
    rows = _newest(connection, name)
    answered = [row for row in rows if row.state in ANSWERED]
    return SourceFigures(
        source=name,
        answers=len(rows),
        hits=sum(row.state == CallState.HIT for row in rows),
        lost=sum(row.state == CallState.LOST for row in rows),
        credits=sum((Decimal(repr(row.cost)) for row in rows), Decimal()),
        median_seconds=median(row.took for row in answered) if answered else None,
        last_at=max((row.answered_at for row in rows), default=None),
        circuit=circuit_breaker.get(connection, name),
    )


def _newest(connection: Connection, name: str) -> Sequence[Any]:
    return connection.execute(_NEWEST_ANSWERS, {"source": name, "most": NEWEST}).all()
