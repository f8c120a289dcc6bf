"""The attempts of callbacks, the newest first, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, tuple_

from mcp_enrichment.service.callbacks.callback_table import MAX_ATTEMPTS, AttemptOutcome
from mcp_enrichment.service.db.schema import callback_attempts as attempts
from mcp_enrichment.service.db.schema import callbacks, requests, teams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

PAGE = 50
"""Attempts of one page."""
SCANNED = 1000
"""The most attempts that a page of failed ones reads."""
_KEY = (attempts.c.started_at, attempts.c.callback_id, attempts.c.round, attempts.c.number)
_PLACE = re.compile(r"([0-9]{1,12}\.[0-9]{1,9})~([0-9a-f]{24})~([0-9]{1,9})~([0-9])")
_ORDER = attempts.c.round * (MAX_ATTEMPTS + 1) + attempts.c.number


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedAttempt:
    """An attempt of a callback. Times are seconds since the epoch."""

    callback_id: str
    request_id: str
    team: str
    host: str
    """Of the receiver: the rest of its URL may be secret."""
    round: int
    number: int
    started_at: float
    finished_at: float | None
    outcome: str | None
    """None: it is open, or its process ended."""
    http_status: int | None
    is_last: bool
    """Whether the callback has no later attempt."""

    @property
    def has_failed(self) -> bool:
        """Whether the callback was not delivered by its last attempt."""
        return self.is_last and self.outcome not in (None, AttemptOutcome.DELIVERED)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptPage:
    """A page of the log."""

    attempts: Sequence[LoggedAttempt]
    older: str | None
    """The place before which the next page begins; None at the end."""


def newest_attempts(
    connection: Connection, *, only_failed: bool = False, before: str | None = None
) -> AttemptPage:
    """The attempts before this place, or the newest. Another text than a place is ignored."""
    most = SCANNED if only_failed else PAGE
    page = select(attempts).order_by(*(column.desc() for column in _KEY)).limit(most + 1)
    if place := _PLACE.fullmatch(before or ""):
        at, callback_id, round_number, number = place.groups()
        key = (float(at), callback_id, int(round_number), int(number))
        page = page.where(attempts.c.started_at <= key[0], tuple_(*_KEY) < key)
    rows = connection.execute(page).all()
    fitting = [row for row in rows[:most] if not only_failed or _is_failed(row)]
    shown = fitting[:PAGE]
    last = shown[-1] if len(fitting) > PAGE else rows[most - 1] if len(rows) > most else None
    return AttemptPage(
        attempts=_with_callbacks(connection, shown), older=None if last is None else _place(last)
    )


def team_of_callback(connection: Connection, callback_id: str) -> int | None:
    """The team whose request the callback is of; None if there is no such callback."""
    mine = select(requests.c.team_id).join(callbacks, callbacks.c.request_id == requests.c.id)
    return connection.execute(mine.where(callbacks.c.id == callback_id)).scalar()


def _is_failed(row: Any) -> bool:
    return row.outcome not in (None, AttemptOutcome.DELIVERED)


def _place(row: Any) -> str:
    return f"{row.started_at!r}~{row.callback_id}~{row.round}~{row.number}"


def _with_callbacks(connection: Connection, rows: Sequence[Any]) -> Sequence[LoggedAttempt]:
    ids = {row.callback_id for row in rows}
    columns = (callbacks.c.id, callbacks.c.url, callbacks.c.request_id, teams.c.name)
    joined = (
        select(*columns)
        .join(requests, requests.c.id == callbacks.c.request_id)
        .join(teams, teams.c.id == requests.c.team_id)
        .where(callbacks.c.id.in_(ids))
    )
    known = {row.id: row for row in connection.execute(joined)}
    this = attempts.c.callback_id
    newest = select(this, func.max(_ORDER).label("last")).where(this.in_(ids)).group_by(this)
    last = {row.callback_id: row.last for row in connection.execute(newest)}
    return [_logged(row._mapping, known[row.callback_id], last[row.callback_id]) for row in rows]


def _logged(row: Mapping[Any, Any], callback: Any, last: int) -> LoggedAttempt:
    return LoggedAttempt(
        **row,
        request_id=callback.request_id,
        team=callback.name,
        host=urlsplit(callback.url).hostname or "",
        is_last=row["round"] * (MAX_ATTEMPTS + 1) + row["number"] == last,
    )
