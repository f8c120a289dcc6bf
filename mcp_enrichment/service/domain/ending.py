"""How requests end: with their credits, their sources' answers and the jobs of their callbacks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.domain.verdicts import costs
from mcp_enrichment.service.store import callbacks, jobs, ledger, source_calls
from mcp_enrichment.service.store import requests as store
from mcp_enrichment.service.store.jobs import JobKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.domain.verdicts import End
    from mcp_enrichment.service.store.jobs import Job
    from mcp_enrichment.service.store.requests import Request
    from mcp_enrichment.service.store.source_calls import Call


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ending:
    """What is written at the end of a request."""

    service: Service
    job: Job
    request: Request
    end: End
    unpaid: Sequence[Call]
    """What sources that cost nothing have answered."""


def end_together(connection: Connection, endings: Sequence[Ending]) -> Sequence[bool]:
    """Write ends down, and take their jobs off; False where the request had ended before."""
    # Rows are changed in one order everywhere, requests before balances: no two transactions wait
    # for each other, and all requests of a team meet at its balance for no longer than they must.
    in_order = sorted(endings, key=lambda ending: ending.request.id)
    at = endings[0].service.clock()
    ended = [one for one in in_order if _end(connection, one, at=at)]
    jobs.take_off(connection, [one.job for one in in_order])
    if ended:
        _write_what_follows(connection, ended, at=at)
    return [one in ended for one in endings]


def _end(connection: Connection, ending: Ending, *, at: float) -> bool:
    return store.end(connection, ending.request.id, at=at, **asdict(ending.end))


def _write_what_follows(connection: Connection, ended: Sequence[Ending], *, at: float) -> None:
    by_request = {one.request.id: one for one in ended}
    source_calls.put(connection, [call for one in ended for call in one.unpaid])
    source_calls.forget_addresses(connection, list(by_request))
    for callback in callbacks.of_requests(connection, list(by_request)):
        one = by_request[callback.request_id]
        put, delay = one.service.database.queue.put, one.service.delivery_delays[0]
        team_id = one.request.team_id
        put(connection, JobKind.DELIVER, callback.id, team_id=team_id, at=at, delay=delay)
    ledger.close(connection, [_end_of_hold(one) for one in ended], at=at)


def _end_of_hold(ending: Ending) -> ledger.EndOfHold:
    return ledger.EndOfHold(
        team_id=ending.request.team_id,
        request_id=ending.request.id,
        is_spent=costs(ending.end.status, ending.end.verification),
    )
