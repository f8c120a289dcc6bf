"""Statements on credits. Each moves a team's two figures and writes its entry, or does neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from mcp_enrichment.service.store.schema import ledger, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """A team's credits: `available` may be spent, `held` belongs to requests still running."""

    available: int
    held: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One movement. Entries are only ever added."""

    id: int
    kind: str
    """`grant`, `correct`, `hold`, `settle` or `release`."""
    amount: int
    """Credits; negative only in a correction."""
    available_after: int
    request_id: str | None
    reason: str | None
    at: float
    """Seconds since the epoch."""


def balance(connection: Connection, team_id: int) -> Balance:
    """The team's credits as they stand."""
    figures = select(teams.c.available, teams.c.held).where(teams.c.id == team_id)
    available, held = connection.execute(figures).one()
    return Balance(available=available, held=held)


def history(
    connection: Connection, team_id: int, *, limit: int, before: int | None = None
) -> Sequence[Entry]:
    """The team's newest entries; with `before`, those that are older than that entry's id."""
    columns = [ledger.c[name] for name in Entry.__dataclass_fields__]
    mine = select(*columns).where(ledger.c.team_id == team_id)
    older = mine if before is None else mine.where(ledger.c.id < before)
    rows = connection.execute(older.order_by(ledger.c.id.desc()).limit(limit))
    return [Entry(**row._mapping) for row in rows]


def grant(
    connection: Connection, team_id: int, amount: int, *, at: float, reason: str | None = None
) -> None:
    """Add credits, at least one."""
    _move(connection, team_id, available=amount, granted=amount)
    _enter(connection, team_id, "grant", amount, at=at, reason=reason)


def correct(connection: Connection, team_id: int, amount: int, *, at: float, reason: str) -> bool:
    """Add or take credits by hand; False where fewer are available than would be taken."""
    if not _move(connection, team_id, available=amount, corrected=amount):
        return False
    _enter(connection, team_id, "correct", amount, at=at, reason=reason)
    return True


def hold(connection: Connection, team_id: int, request_id: str, *, at: float) -> bool:
    """Set one credit aside for a request; False where none is available."""
    if not _move(connection, team_id, available=-1, held=1):
        return False
    _enter(connection, team_id, "hold", 1, at=at, request_id=request_id)
    return True


def settle(connection: Connection, team_id: int, request_id: str, *, at: float) -> None:
    """Spend the credit that a request holds. A second end of one request is refused by the keys."""
    _move(connection, team_id, held=-1, settled=1)
    _enter(connection, team_id, "settle", 1, at=at, request_id=request_id)


def release(connection: Connection, team_id: int, request_id: str, *, at: float) -> None:
    """Give back the credit that a request holds."""
    _move(connection, team_id, available=1, held=-1, released=1)
    _enter(connection, team_id, "release", 1, at=at, request_id=request_id)


def _move(connection: Connection, team_id: int, *, available: int = 0, **others: int) -> bool:
    enough = (teams.c.id == team_id) & (teams.c.available + available >= 0)
    figures = {"available": available, **others}
    moved = {name: teams.c[name] + by for name, by in figures.items()}
    return connection.execute(update(teams).where(enough).values(moved)).rowcount == 1


def _enter(
    connection: Connection,
    team_id: int,
    kind: str,
    amount: int,
    *,
    at: float,
    request_id: str | None = None,
    reason: str | None = None,
) -> None:
    after = select(teams.c.available).where(teams.c.id == team_id).scalar_subquery()
    entry = {
        "team_id": team_id,
        "request_id": request_id,
        "kind": kind,
        "amount": amount,
        "available_after": after,
        "reason": reason,
        "at": at,
    }
    connection.execute(insert(ledger).values(entry))
