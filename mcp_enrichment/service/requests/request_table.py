"""SQL of requests. Every change of state is a compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from mcp_enrichment.contract.models import FINAL, EmailType, Reason, Status, Verification
from mcp_enrichment.service.db.prepared import Prepared, PreparedForEach
from mcp_enrichment.service.db.schema import NOT_FINAL, RUNNING, requests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

_COLUMNS = requests.c.keys()
"""In the order of the fields of `Request`."""
_THIS = select(requests).where(requests.c.id == bindparam("id"))
_GET = Prepared(_THIS)
_GET_OF_TEAM = Prepared(_THIS.where(requests.c.team_id == bindparam("team_id")))
_RUNNING_DUPLICATE = Prepared(
    select(requests)
    .where(*(requests.c[name] == bindparam(name) for name in ("team_id", "linkedin_url", "type")))
    .where(RUNNING)
    .with_for_update(key_share=True)
)
_ADD = Prepared(insert(requests), _COLUMNS)
_RUNNING = PreparedForEach(select(requests).where(NOT_FINAL), requests.c.id)
_START = PreparedForEach(
    update(requests).where(NOT_FINAL).values(status=Status.PROCESSING).returning(*requests.c),
    requests.c.id,
)
_FINAL_AMONG = select(requests.c.id).where(
    requests.c.id.in_(bindparam("ids", expanding=True)), requests.c.status.in_(FINAL)
)
_OUTCOME = (
    "status",
    "email",
    "source",
    "verification",
    "checked_at",
    "evidence",
    "reason",
)
_COMPLETE = Prepared(
    update(requests).where(requests.c.id == bindparam("this"), NOT_FINAL),
    ("completed_at", *_OUTCOME),
)
_COUNT_SOURCE_ATTEMPT = Prepared(
    update(requests)
    .where(requests.c.id == bindparam("this"))
    .values(source_attempts=requests.c.source_attempts + 1)
    .returning(requests.c.source_attempts)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupOutcome:
    """The outcome of a request."""

    status: Status
    email: str | None = None
    source: str | None = None
    verification: Verification | None = None
    checked_at: float | None = None
    evidence: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A row of `requests`. Times are seconds since the epoch."""

    id: str
    team_id: int
    linkedin_url: str
    type: EmailType
    status: Status = Status.PENDING
    email: str | None = None
    source: str | None = None
    verification: Verification | None = None
    checked_at: float | None = None
    """When the source last verified the address."""
    evidence: str | None = None
    """The evidence of an inferred address."""
    reason: Reason | None = None
    external_id: str | None = None
    created_at: float
    completed_at: float | None = None
    source_attempts: int = 0
    """Attempts at unavailable sources."""
    handler_errors: int = 0
    """Exceptions that its lookup raised."""
    traceparent: str | None = None
    """The trace that its jobs continue (W3C Trace Context)."""
    redacted_at: float | None = None
    """When its personal data was removed, for its `reason`; its cost stays."""


def add(connection: Connection, request: Request) -> None:
    """Insert it. The index rejects a second running one for the same profile and type."""
    _ADD.change(connection, {name: getattr(request, name) for name in _COLUMNS})


def get(connection: Connection, request_id: str) -> Request | None:
    """The request with this id, of any team."""
    row = _GET.first(connection, {"id": request_id})
    return _request(row) if row else None


def get_of_team(connection: Connection, team_id: int, request_id: str) -> Request | None:
    """The team's request with this id. Another team's is never loaded: so it cannot be told from a
    missing one, also not by the time."""
    row = _GET_OF_TEAM.first(connection, {"id": request_id, "team_id": team_id})
    return _request(row) if row else None


def find_running_duplicate(connection: Connection, request: Request) -> Request | None:
    """The team's running request for the same profile and type, if there is one.

    It stays running until the transaction ends: a callback that joins it is sent.
    """
    same = {"linkedin_url": request.linkedin_url, "type": request.type, "team_id": request.team_id}
    row = _RUNNING_DUPLICATE.first(connection, same)
    return _request(row) if row else None


def running_about(connection: Connection, profiles: Collection[str]) -> Sequence[Request]:
    """The running requests for these profiles, of all teams."""
    these = requests.c.linkedin_url.in_(profiles)
    return [_request(row) for row in connection.execute(select(requests).where(these, RUNNING))]


def start(connection: Connection, ids: Sequence[str]) -> Sequence[Request | None]:
    """pending → processing; each request, or None if it is final or missing."""
    return _each(ids, _START.rows(connection, sorted(ids)))


def running(connection: Connection, ids: Sequence[str]) -> Sequence[Request | None]:
    """Each request, or None if it is final or missing."""
    return _each(ids, _RUNNING.rows(connection, ids))


def complete(
    connection: Connection, request_id: str, status: Status, *, at: float, reason: Reason
) -> bool:
    """pending or processing → a final status without an email; False if it was final before."""
    outcome = LookupOutcome(status=status, reason=reason)
    return complete_all(connection, {request_id: outcome}, at=at) == 1


def complete_all(
    connection: Connection, outcomes: Mapping[str, LookupOutcome], *, at: float
) -> int:
    """pending or processing → an outcome for each id, by one statement in the order of the ids; the
    number of those that were not final before."""
    rows = [
        {name: getattr(outcome, name) for name in _OUTCOME} | {"this": this, "completed_at": at}
        for this, outcome in outcomes.items()
    ]
    return _COMPLETE.change(connection, *rows)


def count_source_attempt(connection: Connection, request_id: str) -> int:
    """Count an attempt at unavailable sources; the number so far."""
    [(attempts,)] = _COUNT_SOURCE_ATTEMPT.rows(connection, {"this": request_id})
    return int(attempts)


def final_among(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of the ids whose request is final."""
    return set(connection.execute(_FINAL_AMONG, {"ids": list(ids)}).scalars())


def _each(ids: Sequence[str], rows: Iterable[Sequence[Any]]) -> Sequence[Request | None]:
    found = {request.id: request for request in map(_request, rows)}
    return [found.get(one) for one in ids]


def _request(row: Sequence[Any]) -> Request:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["type"] = EmailType(values["type"])
    values["status"] = Status(values["status"])
    values["email"] = values["email"] or None  # empty if it was redacted
    values["reason"] = values["reason"] and Reason(values["reason"])
    values["verification"] = values["verification"] and Verification(values["verification"])
    return Request(**values)
