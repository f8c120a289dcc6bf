"""What was spent, and what may be: counted with the question itself, in one transaction.

A credit counts from before its POST leaves until it is known that none was charged. One whose
outcome stays unknown counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import BudgetExceeded
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0
KEPT_DAYS = 2

ASKED = "asked"
"""The POST may be on its way, or its outcome is unknown."""
ACCEPTED = "accepted"
"""The service has given it an id; one that holds credits has taken it off the balance."""
CHARGED = "charged"
"""An address was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What the user allows, in credits. None: no bound."""

    daily: int | None = None
    """A day, of UTC."""
    reserve: int | None = None
    """The balance below which nothing is spent."""

    def left(self, *, balance: int, spent_today: int) -> int | None:
        """How many credits it leaves to spend now; None where it sets no bound."""
        bounds = []
        if self.daily is not None:
            bounds.append(self.daily - spent_today)
        if self.reserve is not None:
            bounds.append(balance - self.reserve)
        return max(min(balance, *bounds), 0) if bounds else None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditsView:
    """An account's credits, as they stand."""

    balance: int
    spent_today: int
    """Since midnight UTC, by all of the user's processes; what may still be charged counts."""
    left: int | None
    """What the user's budget leaves to spend now; None where none is set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceSnapshot:
    """A balance as the server told it, and the keys of the credits that it had deducted by then."""

    balance: int
    reflected: frozenset[str]


def reserve(
    db: sqlite3.Connection, account: str, key: str, budget: Budget, seen: BalanceSnapshot | None
) -> None:
    """Count a credit for the POST with this key. Raises `BudgetExceeded` where it may not be."""
    now = time.time()
    db.execute("DELETE FROM spending WHERE at < ?", (now - KEPT_DAYS * DAY,))
    if budget.daily is not None and spent_today(db, account) >= budget.daily:
        raise BudgetExceeded(_today_is_spent(budget.daily))
    if budget.reserve is not None and seen is not None:
        under_way = len(read_states(db, account).keys() - seen.reflected)
        if seen.balance - under_way - 1 < budget.reserve:
            raise BudgetExceeded(_reserve_is_reached(budget.reserve))
    db.execute("INSERT INTO spending VALUES (?, ?, ?, ?)", (key, account, now, ASKED))


def set_state(db: sqlite3.Connection, key: str, state: str) -> None:
    """The credit has come so far; one that was charged stays so."""
    update = "UPDATE spending SET state = ? WHERE key = ? AND state != ?"
    db.execute(update, (state, key, CHARGED))


def release(db: sqlite3.Connection, key: str) -> None:
    """The credit was not charged."""
    db.execute("DELETE FROM spending WHERE key = ?", (key,))


def spent_today(db: sqlite3.Connection, account: str) -> int:
    """The account's credits that were spent since midnight UTC, or may still be."""
    midnight = time.time() // DAY * DAY
    since = "SELECT count(*) FROM spending WHERE account = ? AND at >= ?"
    found: int = db.execute(since, (account, midnight)).fetchone()[0]
    return found


def read_states(db: sqlite3.Connection, account: str) -> dict[str, str]:
    """How far each of the account's counted credits has come, by its key."""
    return dict(db.execute("SELECT key, state FROM spending WHERE account = ?", (account,)))


def _today_is_spent(daily: int) -> Explanation:
    return Explanation(
        happened=f"The daily budget of {daily} credits (ENRICHMENT_DAILY_BUDGET) is spent.",
        money=NOTHING_SENT,
        for_person="Try again after midnight UTC, or raise it.",
        for_assistant="Tell the user; do not retry before midnight UTC unless it is raised.",
    )


def _reserve_is_reached(reserve: int) -> Explanation:
    return Explanation(
        happened=f"The balance may not fall below {reserve} credits (ENRICHMENT_RESERVE), and with "
        "the lookups that are under way it would.",
        money=NOTHING_SENT,
        for_person="Add credits, or lower the reserve.",
        for_assistant="Tell the user; do not retry unless credits are added or the reserve is "
        "lowered.",
    )
