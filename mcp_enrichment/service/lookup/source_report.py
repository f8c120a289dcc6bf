"""Statistics of the sources, and a trial lookup, for `sources list` and `sources check`."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import func, select

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.contacts.own_sources import ContactsSource, InferredSource
from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.call_history import ANSWERED
from mcp_enrichment.service.lookup.source_call_mapping import match_email_type
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.lookup.vendor_calls import WORKING_SECONDS
from mcp_enrichment.service.privacy.suppression import is_address_suppressed
from mcp_enrichment.service.sources.base import Hit, InProgress, Lost, LostReason, Miss, is_vendor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.lookup.circuit_breaker import Circuit
    from mcp_enrichment.service.sources.base import Outcome, Source

LAST = 1000
"""The last results of a source whose durations are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReport:
    """The statistics of a source in this database."""

    asked: int
    """Calls made. A request has more than one if the source had done nothing."""
    hits: int
    """With those whose address is not disclosed."""
    misses: int
    lost: int
    """Results that never came: each may have been charged."""
    spent: float
    """In its own credits."""
    median_seconds: float | None
    """The median duration of its last hits and misses; None if there are none."""
    health: Circuit | None
    """None: it is closed."""


def source_report(connection: Connection, source: str) -> SourceReport:
    sums = select(calls.c.state, func.count(), func.sum(calls.c.attempts), func.sum(calls.c.cost))
    rows = connection.execute(sums.where(calls.c.source == source).group_by(calls.c.state)).all()
    counts = {state: count for state, count, _, _ in rows}
    took = _answer_seconds(connection, source)
    return SourceReport(
        asked=sum(attempts for _, _, attempts, _ in rows),
        hits=counts.get(CallState.HIT, 0) + counts.get(CallState.REJECTED, 0),
        misses=counts.get(CallState.MISS, 0),
        lost=counts.get(CallState.LOST, 0),
        spent=sum((cost for *_, cost in rows), 0.0),
        median_seconds=median(took) if took else None,
        health=circuit_breaker.get(connection, source),
    )


def keyless_sources(database: Database) -> Mapping[str, Source]:
    """The sources that need no key, by name."""
    contacts, inferred = ContactsSource(database), InferredSource(database)
    return {source.name: source for source in (contacts, inferred)}


async def trial_lookup(
    database: Database, source: Source, profile: str, email_type: EmailType
) -> Outcome:
    """A source's result for a profile, without a request: it is neither stored nor counted. A
    suppressed address is not disclosed here either."""
    answer = await _answer(source, profile, email_type)
    if isinstance(answer, Hit) and is_vendor(source):
        answer = match_email_type(answer, email_type, source.terms)
    if not isinstance(answer, Hit):
        return answer
    for hit in (answer, *answer.others):
        if not await is_address_suppressed(database, hit.email):
            return hit
    return Miss(reason=Reason.SUPPRESSED, cost=answer.cost)


async def _answer(source: Source, profile: str, email_type: EmailType) -> Outcome:
    began = anyio.current_time()
    answer = await source.find(profile, email_type)
    while isinstance(answer, InProgress):
        if not is_vendor(source) or anyio.current_time() - began > WORKING_SECONDS:
            return Lost(why=LostReason.NO_ANSWER)
        job_id = answer.job_id
        await anyio.sleep(answer.poll_after)
        answer = await source.collect(job_id, email_type)
    return answer


def _answer_seconds(connection: Connection, source: str) -> Sequence[float]:
    """The durations of a source's last results."""
    took = select(calls.c.answered_at - calls.c.requested_at)
    mine = took.where(calls.c.source == source, calls.c.state.in_(ANSWERED))
    last = mine.order_by(calls.c.answered_at.desc()).limit(LAST)
    return list(connection.execute(last).scalars())
