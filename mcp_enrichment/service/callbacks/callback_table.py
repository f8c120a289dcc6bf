"""SQL of callbacks and their attempts: one row for each attempt, stored before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, insert, select, update

from mcp_enrichment.service.db.prepared import Prepared, PreparedForEach
from mcp_enrichment.service.db.schema import callback_attempts as attempts
from mcp_enrichment.service.db.schema import callbacks, requests

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

MAX_ATTEMPTS = 3
"""The contract's number, for one round; the table rejects a fourth."""
_ADD = Prepared(insert(callbacks), ("id", "request_id", "url", "external_id", "round"))
_GET = Prepared(select(callbacks).where(callbacks.c.id == bindparam("id")))
_OF_REQUESTS = PreparedForEach(select(callbacks), callbacks.c.request_id)
_THIS_ROUND = and_(
    attempts.c.callback_id == bindparam("this_callback"),
    attempts.c.round == bindparam("this_round"),
)
_OUTCOMES = Prepared(select(attempts.c.outcome).where(_THIS_ROUND))
_ADD_ATTEMPT = Prepared(insert(attempts), ("callback_id", "round", "number", "started_at"))
_CLOSE_ATTEMPT = Prepared(
    update(attempts).where(_THIS_ROUND, attempts.c.number == bindparam("this_number")),
    ("finished_at", "outcome", "http_status"),
)


class AttemptOutcome(StrEnum):
    DELIVERED = "delivered"
    """The receiver answered with a 2xx."""
    HTTP_ERROR = "http-error"
    """The receiver answered with another status."""
    UNREACHABLE = "unreachable"
    """There was no connection, or it broke before a readable response."""
    TIMED_OUT = "timed-out"
    ADDRESS_REFUSED = "address-refused"
    """Callbacks may not connect to its address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryResult:
    outcome: AttemptOutcome
    http_status: int | None = None
    may_try_again: bool = True
    retry_after: float | None = None
    """The receiver's `Retry-After` in seconds."""

    @property
    def delivered(self) -> bool:
        return self.outcome is AttemptOutcome.DELIVERED


@dataclass(frozen=True, slots=True)
class Callback:
    """A row of `callbacks`, with its columns in their order."""

    id: str
    request_id: str
    url: str
    external_id: str | None
    round: int
    """Increases by one with each redelivery by an operator."""
    handler_errors: int = 0
    """Exceptions that its delivery raised in this round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A callback with its last attempt, for lists."""

    id: str
    request_id: str
    attempts: int
    outcome: str | None
    http_status: int | None
    at: float | None


def add(
    connection: Connection, callback_id: str, *, request_id: str, url: str, external_id: str | None
) -> None:
    row = {"id": callback_id, "request_id": request_id, "url": url, "external_id": external_id}
    _ADD.change(connection, row | {"round": 1})


def get(connection: Connection, callback_id: str) -> Callback | None:
    row = _GET.first(connection, {"id": callback_id})
    return Callback(*row) if row else None


def of_requests(connection: Connection, request_ids: Collection[str]) -> Sequence[Callback]:
    return [Callback(*row) for row in _OF_REQUESTS.rows(connection, request_ids)]


def start_round(connection: Connection, callback_id: str) -> None:
    this = update(callbacks).where(callbacks.c.id == callback_id)
    connection.execute(this.values(round=callbacks.c.round + 1, handler_errors=0))


def claim_attempt(connection: Connection, callback: Callback, *, at: float) -> int | None:
    """Store the next attempt and return its number; None if the round is over."""
    this_round = {"this_callback": callback.id, "this_round": callback.round}
    outcomes = [outcome for (outcome,) in _OUTCOMES.rows(connection, this_round)]
    if AttemptOutcome.DELIVERED in outcomes or len(outcomes) >= MAX_ATTEMPTS:
        return None
    number = len(outcomes) + 1
    row = {"callback_id": callback.id, "round": callback.round, "number": number}
    _ADD_ATTEMPT.change(connection, row | {"started_at": at})
    return number


def close_attempt(
    connection: Connection,
    callback: Callback,
    number: int,
    *,
    at: float,
    outcome: AttemptOutcome,
    http_status: int | None,
) -> None:
    this = {"this_callback": callback.id, "this_round": callback.round, "this_number": number}
    end = {"finished_at": at, "outcome": outcome, "http_status": http_status}
    _CLOSE_ATTEMPT.change(connection, this | end)


def deliveries(connection: Connection, *, team_id: int, limit: int) -> Sequence[Delivery]:
    """A team's callbacks, the latest attempts first."""
    last, of_this = attempts.alias("last"), attempts.c.callback_id == callbacks.c.id
    order = func.max(attempts.c.round * (MAX_ATTEMPTS + 1) + attempts.c.number)
    newest = select(order).where(of_this).scalar_subquery()
    rows = connection.execute(
        select(
            callbacks.c.id,
            callbacks.c.request_id,
            select(func.count()).where(of_this).scalar_subquery().label("attempts"),
            last.c.outcome,
            last.c.http_status,
            last.c.started_at.label("at"),
        )
        .join(requests, requests.c.id == callbacks.c.request_id)
        .outerjoin(
            last,
            (last.c.callback_id == callbacks.c.id)
            & (last.c.round * (MAX_ATTEMPTS + 1) + last.c.number == newest),
        )
        .where(requests.c.team_id == team_id)
        .order_by(last.c.started_at.desc().nulls_last())
        .limit(limit)
    )
    return [Delivery(**row._mapping) for row in rows]
