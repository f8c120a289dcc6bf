"""Credits and their SQL. Each movement changes the team's balance and adds an entry, or neither."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.contract.models import HistoryEntry, LedgerEntryKind
from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import ledger, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

MAX_AMOUNT = 1_000_000
"""Credits that an operator may add or take at once: a limit for typing errors."""
MAX_REASON = 200
_NO_CORRECTION = Explanation(
    happened="The correction has no amount or no reason.",
    money=NOTHING_CHANGED,
    for_person=f"Give an amount other than 0 and a reason of 1 to {MAX_REASON} characters.",
)
_TOO_FEW = Explanation(
    happened="The team has fewer credits available than would be taken.",
    money=NOTHING_CHANGED,
    for_person="Take fewer, or wait until the lookups that hold credits have ended.",
)
_COLUMNS = ("available", "held", "granted", "corrected", "settled", "released")
_MOVE = Prepared(
    update(teams)
    .where(teams.c.id == bindparam("team"), teams.c.available + bindparam("by_available") >= 0)
    .values({name: teams.c[name] + bindparam(f"by_{name}") for name in _COLUMNS})
)
_BALANCE = Prepared(select(teams.c.available, teams.c.held).where(teams.c.id == bindparam("team")))
_AVAILABLE = select(teams.c.available).where(teams.c.id == bindparam("team")).scalar_subquery()
_ENTER = Prepared(
    insert(ledger).values(available_after=_AVAILABLE - bindparam("entered_later")),
    ("team_id", "kind", "amount", "at", "request_id", "reason"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """A team's credits: `available` may be spent, `held` belongs to requests still running."""

    available: int
    held: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOutcome:
    """Whether the credit that a request holds is settled or released."""

    team_id: int
    request_id: str
    is_settled: bool


def balance(connection: Connection, team_id: int) -> Balance:
    [(available, held)] = _BALANCE.rows(connection, {"team": team_id})
    return Balance(available=available, held=held)


def history(
    connection: Connection, team_id: int, *, limit: int, before: int | None = None
) -> list[HistoryEntry]:
    """The team's newest entries; with `before`, those that are older than that entry's id."""
    columns = [ledger.c[name] for name in HistoryEntry.model_fields]
    mine = select(*columns).where(ledger.c.team_id == team_id)
    older = mine if before is None else mine.where(ledger.c.id < before)
    rows = connection.execute(older.order_by(ledger.c.id.desc()).limit(limit))
    return [HistoryEntry.model_validate(row._mapping) for row in rows]


def grant(connection: Connection, team_id: int, amount: int, *, at: float) -> Balance:
    """Add credits, at least one; the balance that follows."""
    _move(connection, team_id, available=amount, granted=amount)
    _enter(connection, team_id, LedgerEntryKind.GRANT, amount, at=at)
    return balance(connection, team_id)


def correct(
    connection: Connection, team_id: int, amount: int, *, at: float, reason: str
) -> Balance:
    """Add or, with a negative amount, take credits by hand; the balance that follows.

    Raises `InvalidArguments` for nothing to correct, no reason, or fewer credits than are taken.
    """
    if not amount or not reason.strip() or len(reason) > MAX_REASON:
        raise InvalidArguments(_NO_CORRECTION)
    if not _move(connection, team_id, available=amount, corrected=amount):
        raise InvalidArguments(_TOO_FEW)
    _enter(connection, team_id, LedgerEntryKind.CORRECT, amount, at=at, reason=reason)
    return balance(connection, team_id)


def hold(connection: Connection, team_id: int, request_ids: Sequence[str], *, at: float) -> bool:
    """Hold a credit for each of these requests; False, and none is held, if too few are
    available."""
    later = len(request_ids)
    if not _move(connection, team_id, available=-later, held=later):
        return False
    entries = []
    # The balance is changed already: each entry adds the holds that follow it.
    for request_id in request_ids:
        later -= 1
        entry = _entry(team_id, LedgerEntryKind.HOLD, 1, at=at, request_id=request_id)
        entries.append(entry | {"entered_later": -later})
    _ENTER.change(connection, *entries)
    return True


def close_holds(connection: Connection, outcomes: Sequence[HoldOutcome], *, at: float) -> None:
    """Settle or release the credits that requests hold, of one request at least. The unique keys
    reject a second one for the same request."""
    settled = Counter(outcome.team_id for outcome in outcomes if outcome.is_settled)
    released = Counter(outcome.team_id for outcome in outcomes if not outcome.is_settled)
    # Rows are locked in the order of the teams, so there is no deadlock.
    moves = [
        _movement(
            team_id,
            available=released[team_id],
            held=-settled[team_id] - released[team_id],
            settled=settled[team_id],
            released=released[team_id],
        )
        for team_id in sorted(settled | released)
    ]
    _MOVE.change(connection, *moves)
    entries = []
    # The balance is changed already: each entry subtracts the releases that follow it.
    for outcome in outcomes:
        kind = LedgerEntryKind.SETTLE if outcome.is_settled else LedgerEntryKind.RELEASE
        released[outcome.team_id] -= not outcome.is_settled
        entry = _entry(outcome.team_id, kind, 1, at=at, request_id=outcome.request_id)
        entries.append(entry | {"entered_later": released[outcome.team_id]})
    _ENTER.change(connection, *entries)


def _move(connection: Connection, team_id: int, **by: int) -> bool:
    return _MOVE.change(connection, _movement(team_id, **by)) == 1


def _enter(
    connection: Connection, team_id: int, kind: LedgerEntryKind, amount: int, **what: Any
) -> None:
    _ENTER.change(connection, _entry(team_id, kind, amount, **what))


def _movement(team_id: int, **by: int) -> dict[str, int]:
    return {"team": team_id} | {f"by_{name}": by.get(name, 0) for name in _COLUMNS}


def _entry(
    team_id: int,
    kind: LedgerEntryKind,
    amount: int,
    *,
    at: float,
    request_id: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    entry = {"team_id": team_id, "kind": kind, "amount": amount, "at": at}
    return entry | {"request_id": request_id, "reason": reason, "team": team_id, "entered_later": 0}
