"""The events of one request, from its POST to the last attempt of its callback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import select

from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.db.schema import callback_attempts, jobs, ledger
from mcp_enrichment.service.lookup import source_call_table
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.requests.request_table import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of a request."""

    at: float
    """Seconds since the epoch."""
    what: str
    detail: str = ""
    seconds: float | None = None
    """Its duration; None for an event without one, and while it is open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A request with its events, the earliest first."""

    request: Request
    events: Sequence[Event]


def timeline(connection: Connection, request_id: str) -> Timeline | None:
    """The events of the request with this id, of any team; None if there is none."""
    request = request_table.get(connection, request_id)
    if request is None:
        return None
    events = [
        Event(at=request.created_at, what="requested", detail=f"{request.type} address"),
        *_credits(connection, request_id),
        *_calls(connection, request_id),
        *_callbacks(connection, request_id),
        *_end(request),
        *_waiting(connection, request_id),
    ]
    return Timeline(request=request, events=sorted(events, key=lambda event: event.at))


def _credits(connection: Connection, request_id: str) -> Iterator[Event]:
    words = {"hold": "credit held", "settle": "credit spent", "release": "credit given back"}
    moves = select(ledger.c.at, ledger.c.kind).where(ledger.c.request_id == request_id)
    for at, kind in connection.execute(moves.order_by(ledger.c.id)):
        yield Event(at=at, what=words[kind])


def _calls(connection: Connection, request_id: str) -> Iterator[Event]:
    for call in source_call_table.of_request(connection, request_id).values():
        took = None if call.answered_at is None else call.answered_at - call.requested_at
        cost = f"{call.cost:g} of its credits" if call.cost else ""
        attempts = f"{call.attempts} calls" if call.attempts > 1 else ""
        detail = ", ".join(filter(None, (call.reason, cost, attempts)))
        what = f"{call.source}: {call.state}"
        yield Event(at=call.requested_at, what=what, detail=detail, seconds=took)


def _callbacks(connection: Connection, request_id: str) -> Iterator[Event]:
    for callback in callback_table.of_requests(connection, [request_id]):
        mine = select(callback_attempts).where(callback_attempts.c.callback_id == callback.id)
        for row in connection.execute(mine):
            took = None if row.finished_at is None else row.finished_at - row.started_at
            status = f"HTTP {row.http_status}" if row.http_status else ""
            host = urlsplit(callback.url).hostname or ""
            detail = ", ".join(filter(None, (f"attempt {row.number}", status, f"to {host}")))
            what = f"callback: {row.outcome or 'no outcome yet'}"
            yield Event(at=row.started_at, what=what, detail=detail, seconds=took)


def _end(request: Request) -> Iterator[Event]:
    if request.completed_at is not None:
        took = request.completed_at - request.created_at
        detail = f"because of {request.reason}" if request.reason else ""
        yield Event(at=request.completed_at, what=request.status, detail=detail, seconds=took)


def _waiting(connection: Connection, request_id: str) -> Iterator[Event]:
    """The job of a running lookup."""
    job = select(jobs).where(jobs.c.target_id == request_id, jobs.c.kind == "look-up")
    for row in connection.execute(job):
        if row.lease_owner:
            yield Event(at=row.run_at, what="being looked up", detail=f"attempt {row.attempts}")
        else:
            source = f"for a free place at {row.waits_for}" if row.waits_for else ""
            yield Event(at=row.run_at, what="due, and waits for a worker", detail=source)
