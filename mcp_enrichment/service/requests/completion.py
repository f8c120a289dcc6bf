"""Completes requests: with their credits, results of sources and jobs of callbacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.lookup import source_call_table
from mcp_enrichment.service.lookup.resolution import is_charged
from mcp_enrichment.service.queue.job import JobKind, delete_done
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.source_call_table import SourceCall
    from mcp_enrichment.service.queue.job import Job
    from mcp_enrichment.service.requests.request_table import LookupOutcome, Request


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Completion:
    """The values that are stored at the completion of a request."""

    service: ServiceContext
    job: Job
    request: Request
    outcome: LookupOutcome
    free_calls: Sequence[SourceCall]
    """Results of sources that cost nothing."""


class _CompletedBefore(Exception):
    """One of several requests was completed before."""


def complete_batch(
    connection: Connection, completions: Sequence[Completion]
) -> Sequence[int | None]:
    """Complete requests and delete their jobs: for each the number of jobs of callbacks that were
    added, None if it was completed before.

    One statement completes all and says how many. If one of several was completed before, it
    raises, and `Batcher` gives each a transaction of its own.
    """
    # Rows are locked in one order everywhere, requests before balances: so there is no deadlock,
    # and the lock on a team's balance is short.
    in_order = sorted(completions, key=lambda completion: completion.request.id)
    at = completions[0].service.clock()
    outcomes = {one.request.id: one.outcome for one in in_order}
    completed = request_table.complete_all(connection, outcomes, at=at)
    if len(completions) > 1 and completed < len(completions):
        raise _CompletedBefore
    delete_done(connection, [one.job for one in in_order])
    if not completed:
        return [None] * len(completions)
    callbacks = _write_consequences(connection, in_order, at=at)
    return [callbacks[one.request.id] for one in completions]


def _write_consequences(
    connection: Connection, ended: Sequence[Completion], *, at: float
) -> Counter[str]:
    """The number of jobs that were added, by request."""
    by_request = {one.request.id: one for one in ended}
    source_call_table.upsert_free_calls(
        connection, [call for one in ended for call in one.free_calls]
    )
    source_call_table.clear_emails(connection, list(by_request))
    callbacks = callback_table.of_requests(connection, list(by_request))
    for callback in callbacks:
        one = by_request[callback.request_id]
        enqueue, delay = one.service.database.queue.enqueue, one.service.delivery_delays[0]
        team_id = one.request.team_id
        enqueue(connection, JobKind.DELIVER, callback.id, team_id=team_id, at=at, delay=delay)
    holds = [
        ledger.HoldOutcome(
            team_id=one.request.team_id,
            request_id=one.request.id,
            is_settled=is_charged(one.outcome.status, one.outcome.verification),
        )
        for one in ended
    ]
    ledger.close_holds(connection, holds, at=at)
    return Counter(callback.request_id for callback in callbacks)
