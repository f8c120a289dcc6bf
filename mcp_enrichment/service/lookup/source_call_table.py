"""SQL of `source_calls`: one row for each source of a request.

A row is stored before a vendor is called, and its result before anything uses it: so a paid result
outlives the process that paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select, update

from mcp_enrichment.contract.models import Reason, Verification
from mcp_enrichment.service.db.prepared import Prepared, PreparedForEach
from mcp_enrichment.service.db.schema import NOT_FINAL, requests
from mcp_enrichment.service.db.schema import source_calls as calls
from mcp_enrichment.service.db.upsert import upsert_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection, Insert

_KEY = ["request_id", "source"]
# Statements that every lookup executes are built once.
_THIS = and_(
    calls.c.request_id == bindparam("this_request"), calls.c.source == bindparam("this_source")
)
_REJECT = update(calls).where(_THIS)
_REPLACE = _REJECT.where(
    calls.c.claim_token == bindparam("this_claim"), calls.c.state == bindparam("this_state")
)
_OF_REQUEST = Prepared(select(calls).where(calls.c.request_id == bindparam("request_id")))
_CLEAR_EMAILS = PreparedForEach(
    update(calls)
    .where(calls.c.email.is_not(None))
    .values(email=None, evidence=None)
    .returning(calls.c.source),
    calls.c.request_id,
)
_LOCK_IF_RUNNING = (
    select(requests.c.id)
    .where(requests.c.id == bindparam("request_id"), NOT_FINAL)
    .with_for_update(read=True)
)


class CallState(StrEnum):
    REQUESTED = "requested"
    """The call may have been sent, and may be charged."""
    WORKING = "working"
    """The vendor works on it; the result is polled by its job id."""
    HIT = "hit"
    MISS = "miss"
    REJECTED = "rejected"
    """Its address has a defect, and is not disclosed."""
    UNAVAILABLE = "unavailable"
    """It did nothing, and may be called again."""
    LOST = "lost"
    """It may have charged, and its result is unknown."""
    MISCONFIGURED = "misconfigured"


OPEN = (CallState.REQUESTED, CallState.WORKING, CallState.LOST)
"""States that a late result may still replace: it was paid for, too."""

NOT_REQUESTED_AGAIN = (
    CallState.HIT,
    CallState.MISS,
    CallState.REJECTED,
    CallState.LOST,
    CallState.MISCONFIGURED,
)
"""The states of a call that is not repeated."""

_STORE = update(calls).where(_THIS, calls.c.state.in_(OPEN))


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCall:
    """A row of `source_calls`. Times are seconds since the epoch."""

    request_id: str
    source: str
    state: CallState = CallState.REQUESTED
    claim_token: str = ""
    """Identifies the process that makes the call."""
    vendor_job_id: str | None = None
    next_poll_at: float | None = None
    """When to poll the vendor, or to call it again."""
    email: str | None = None
    """Only until the request is completed, which keeps the chosen one."""
    verification: Verification | None = None
    checked_at: float | None = None
    evidence: str | None = None
    reason: str | None = None
    """A `Reason`, a `LostReason` or an `AddressDefect`, as the state has it."""
    cost: float = 0.0
    """In the source's own credits."""
    attempts: int = 1
    """Calls made: more than one only if the vendor had done nothing."""
    requested_at: float
    answered_at: float | None = None

    @property
    def typed_reason(self) -> Reason | None:
        """The reason of a hit, a miss or a misconfigured source."""
        return Reason(self.reason) if self.reason else None


def of_request(connection: Connection, request_id: str) -> Mapping[str, SourceCall]:
    """The calls of a request, by source."""
    rows = _OF_REQUEST.rows(connection, {"request_id": request_id})
    return {call.source: call for call in map(_call, rows)}


def claim(connection: Connection, call: SourceCall, *, replacing: SourceCall | None) -> bool:
    """Store a call before it is made; False if another process was faster.

    `replacing`: the earlier row, which the call replaces.
    """
    values = _row(call)
    if replacing is None:
        return bool(connection.execute(_insert_new(connection.dialect.name), values).rowcount)
    unchanged = _this(replacing.request_id, replacing.source) | {
        "this_claim": replacing.claim_token,
        "this_state": replacing.state,
    }
    change = unchanged | values | {"attempts": replacing.attempts + 1}
    return connection.execute(_REPLACE, change).rowcount == 1


def store_result(connection: Connection, request_id: str, source: str, **outcome: Any) -> bool:
    """Store a result; False if the row has one already. If the request is already final, its
    address, evidence and job id are not stored, as an erasure may have ended it."""
    if not lock_if_running(connection, request_id):
        outcome |= {"email": None, "evidence": None, "vendor_job_id": None}
    return connection.execute(_STORE, _this(request_id, source) | outcome).rowcount == 1


def call_again(connection: Connection, source: str, *, at: float) -> None:
    """Let the source be called at this time by the lookups that it could not answer before."""
    later = and_(
        calls.c.source == source,
        calls.c.state == CallState.UNAVAILABLE,
        calls.c.next_poll_at > at,
    )
    connection.execute(update(calls).where(later).values(next_poll_at=at))


def reject_address(connection: Connection, request_id: str, source: str, defect: str) -> None:
    """Store that the address has a defect, and delete it."""
    refused = {"state": CallState.REJECTED, "reason": defect, "email": None, "evidence": None}
    connection.execute(_REJECT, _this(request_id, source) | refused)


def upsert_free_calls(connection: Connection, answered: Sequence[SourceCall]) -> None:
    """Store the results of sources that cost nothing, for completed requests."""
    if answered:
        rows = [_row(call) | {"email": None, "evidence": None} for call in answered]
        _upsert(connection.dialect.name).change(connection, *rows)


def clear_emails(connection: Connection, request_ids: Collection[str]) -> None:
    """Delete the addresses in the calls of completed requests, which keep the chosen one."""
    _CLEAR_EMAILS.rows(connection, request_ids)


def lock_if_running(connection: Connection, request_id: str) -> bool:
    """Whether the request is running. It stays so until the end of the transaction."""
    return connection.execute(_LOCK_IF_RUNNING, {"request_id": request_id}).first() is not None


@cache
def _upsert(dialect: str) -> Prepared:
    new = upsert_of(dialect, calls)
    fresh: dict[str, Any] = {c.name: new.excluded[c.name] for c in calls.c if not c.primary_key}
    fresh["attempts"] = calls.c.attempts + 1
    return Prepared(new.on_conflict_do_update(index_elements=_KEY, set_=fresh), calls.c.keys())


@cache
def _insert_new(dialect: str) -> Insert:
    return upsert_of(dialect, calls).on_conflict_do_nothing()


def _row(call: SourceCall) -> dict[str, Any]:
    return {name: getattr(call, name) for name in calls.c.keys()}  # noqa: SIM118 (no dict)


def _this(request_id: str, source: str) -> dict[str, Any]:
    return {"this_request": request_id, "this_source": source}


def _call(row: Sequence[Any]) -> SourceCall:
    values = dict(zip(calls.c.keys(), row, strict=True))
    values["state"] = CallState(values["state"])
    values["verification"] = values["verification"] and Verification(values["verification"])
    return SourceCall(**values)
