"""Statements on what the sources were asked for a request: one row for each source of a request.

A row is written before a vendor is asked, and its outcome before anything uses it: what was paid
for outlives the process that paid.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.db.schema import RUNNING, requests
from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.db.upsert import upsert, upsert_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Insert, Row

_KEY = ["request_id", "source"]
# Made once, as every lookup says them.
_OF_REQUEST = select(calls).where(calls.c.request_id == bindparam("request_id"))
_CLEAR_EMAILS = (
    update(calls)
    .where(calls.c.request_id.in_(bindparam("request_ids", expanding=True)))
    .where(calls.c.email.is_not(None))
    .values(email=None, evidence=None)
)
_LOCK_IF_RUNNING = (
    select(requests.c.id)
    .where(requests.c.id == bindparam("request_id"), RUNNING)
    .with_for_update(read=True)
)


class CallState(StrEnum):
    """How far a source has come with a request."""

    REQUESTED = "requested"
    """It may have the question, and may charge for it."""
    WORKING = "working"
    """It has begun, and gives its outcome for a ticket."""
    HIT = "hit"
    MISS = "miss"
    REJECTED = "rejected"
    """Its address has a defect, and is not told."""
    UNAVAILABLE = "unavailable"
    """It did nothing, and may be asked again."""
    LOST = "lost"
    """It may have charged, and its answer is not known."""
    MISCONFIGURED = "misconfigured"


OPEN = (CallState.REQUESTED, CallState.WORKING, CallState.LOST)
"""What the answer to a question may still replace: one that comes late was paid for too."""

ANSWERED = (
    CallState.HIT,
    CallState.MISS,
    CallState.REJECTED,
    CallState.LOST,
    CallState.MISCONFIGURED,
)
"""What is not asked for again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCall:
    """A row of `source_calls`. Times are seconds since the epoch."""

    request_id: str
    source: str
    state: CallState = CallState.REQUESTED
    claim_token: str = ""
    """Who asks: tells its own row from somebody else's."""
    vendor_job_id: str | None = None
    next_poll_at: float | None = None
    """When to ask for the outcome of the ticket."""
    email: str | None = None
    """Only until the request ends: then one address alone is kept, with the request."""
    verification: Verification | None = None
    checked_at: float | None = None
    evidence: str | None = None
    reason: str | None = None
    """A `Reason`, a `LostReason` or an `AddressDefect`, as the state has it."""
    cost: float = 0.0
    """In the source's own credits."""
    attempts: int = 1
    """How often it was asked: more than once only where it had done nothing."""
    requested_at: float
    answered_at: float | None = None

    @property
    def told_reason(self) -> Reason | None:
        """The reason of a hit, a miss or a misconfigured source."""
        return Reason(self.reason) if self.reason else None


def of_request(connection: Connection, request_id: str) -> Mapping[str, SourceCall]:
    """What was asked for a request, by the names of the sources."""
    rows = connection.execute(_OF_REQUEST, {"request_id": request_id})
    return {row.source: _call(row) for row in rows}


def claim(connection: Connection, call: SourceCall, *, over: SourceCall | None) -> bool:
    """Write down that a source is being asked; False where somebody was faster.

    `over`: the row that the caller has seen and replaces.
    """
    values = asdict(call)
    if over is None:
        new = upsert(connection, calls).values(values)
        return bool(connection.execute(new.on_conflict_do_nothing()).rowcount)
    seen = _this(over.request_id, over.source) & (calls.c.claim_token == over.claim_token)
    seen &= calls.c.state == over.state
    change = update(calls).where(seen).values(values | {"attempts": over.attempts + 1})
    return connection.execute(change).rowcount == 1


def store_result(connection: Connection, request_id: str, source: str, **outcome: Any) -> bool:
    """Write down what came of a question; False where an answer to it is known already."""
    if not lock_if_running(connection, request_id):
        outcome |= {"email": None, "evidence": None}
    this = _this(request_id, source) & calls.c.state.in_(OPEN)
    return connection.execute(update(calls).where(this).values(outcome)).rowcount == 1


def reject_address(connection: Connection, request_id: str, source: str, defect: str) -> None:
    """The address that the source has given is not to be told."""
    refused = {"state": CallState.REJECTED, "reason": defect, "email": None, "evidence": None}
    connection.execute(update(calls).where(_this(request_id, source)).values(refused))


def upsert_free_calls(connection: Connection, answered: Sequence[SourceCall]) -> None:
    """Write down what sources that cost nothing have answered for requests that have ended."""
    if answered:
        rows = [asdict(call) | {"email": None, "evidence": None} for call in answered]
        connection.execute(_upsert(connection.dialect.name), rows)


def clear_emails(connection: Connection, request_ids: Collection[str]) -> None:
    """Drop the addresses of requests that have ended: the ones that were told are kept with
    them."""
    connection.execute(_CLEAR_EMAILS, {"request_ids": request_ids})


def lock_if_running(connection: Connection, request_id: str) -> bool:
    """Whether the request has not ended; nobody ends it before the transaction does."""
    return connection.execute(_LOCK_IF_RUNNING, {"request_id": request_id}).first() is not None


@cache
def _upsert(dialect: str) -> Insert:
    new = upsert_of(dialect, calls)
    fresh: dict[str, Any] = {c.name: new.excluded[c.name] for c in calls.c if not c.primary_key}
    fresh["attempts"] = calls.c.attempts + 1
    return new.on_conflict_do_update(index_elements=_KEY, set_=fresh)


def _this(request_id: str, source: str) -> ColumnElement[bool]:
    return (calls.c.request_id == request_id) & (calls.c.source == source)


def _call(row: Row[Any]) -> SourceCall:
    values = dict(row._mapping)
    values["state"] = CallState(values["state"])
    values["verification"] = values["verification"] and Verification(values["verification"])
    return SourceCall(**values)
