"""The calls of each source, their outcomes and costs, read from all stored calls.

The database counts the calls of each kind, and their costs are added as decimal numbers: a sum of
binary fractions would differ from the vendor's invoice. Memory does not grow with the history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from statistics import fmean
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.db.schema import requests
from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.lookup.resolution import DECISIVE
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.reports.source_order import Charges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

ANSWERED = (CallState.HIT, CallState.MISS, CallState.REJECTED)
"""States in which the answer came."""
_SANDBOX = "sandbox"
"""The source of test profiles."""


@dataclass(kw_only=True, slots=True)
class CallHistory:
    """The calls of one source, for one type of address."""

    states: dict[CallState, int] = field(default_factory=dict)
    """The number of requests for which it was asked, by the state of the call."""
    ended: Charges = field(default_factory=Charges)
    """Answers after which no further source is asked, in the source's own credits."""
    passed_on: Charges = field(default_factory=Charges)
    """All other answers."""

    @property
    def credits(self) -> Decimal:
        """Their cost, in the source's own credits."""
        return self.ended.total + self.passed_on.total

    def count(self, *states: CallState) -> int:
        return sum(self.states.get(state, 0) for state in states)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Selects the calls that are read."""

    since: float = 0.0
    """Calls made at this time or later, in seconds since the epoch."""
    email_types: tuple[EmailType, ...] = tuple(EmailType)


def read_history(
    connection: Connection, period: Period
) -> Mapping[str, Mapping[EmailType, CallHistory]]:
    """The calls of each source that was asked, by the type of address."""
    columns = (calls.c.source, requests.c.type, calls.c.state, calls.c.verification, calls.c.cost)
    kinds = (
        select(*columns, func.count().label("count"))
        .join(requests)
        .where(calls.c.requested_at >= period.since, calls.c.source != _SANDBOX)
        .where(requests.c.type.in_(period.email_types))
        .group_by(*columns)
    )
    found: dict[str, dict[EmailType, CallHistory]] = {}
    for row in connection.execute(kinds.execution_options(yield_per=1000)):
        by_type = found.setdefault(row.source, {})
        add_calls(by_type.setdefault(EmailType(row.type), CallHistory()), row)
    return found


def median_seconds(
    connection: Connection, source: str, period: Period, *, answers: int
) -> float | None:
    """The median time of the source's answers, of which there are so many; None if there are none.
    The database sorts the times, and only those in the middle are read."""
    if not answers:
        return None
    took = calls.c.answered_at - calls.c.requested_at
    chosen = select(took).where(
        calls.c.source == source,
        calls.c.state.in_(ANSWERED),
        calls.c.requested_at >= period.since,
    )
    if len(period.email_types) < len(EmailType):
        chosen = chosen.join(requests).where(requests.c.type.in_(period.email_types))
    middle = chosen.order_by(took).offset((answers - 1) // 2).limit(2 - answers % 2)
    return fmean(connection.scalars(middle))


def add_calls(history: CallHistory, row: Row[Any]) -> None:
    """Add the calls of a row: `count` calls with this `state`, `verification` and `cost`."""
    state, count = CallState(row.state), int(row._mapping["count"])
    history.states[state] = history.states.get(state, 0) + count
    cost = Decimal(repr(row.cost))
    if state is CallState.HIT and row.verification in DECISIVE:
        history.ended = history.ended.plus(count, cost)
    elif state in ANSWERED:
        history.passed_on = history.passed_on.plus(count, cost)
