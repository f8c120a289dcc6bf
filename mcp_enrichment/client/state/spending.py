"""The user's budget, and the credits that count against it.

A credit counts from before its POST is sent until it is known that it was not charged. While the
outcome of a POST is unknown, its credit counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.errors import BudgetExceeded, CreditCapReached
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    import sqlite3

KEPT_DAYS = 2
LISTS_KEPT_DAYS = 365
"""Days for which the credits of a list count against its cap."""

TABLES = """
CREATE TABLE spending (
    key TEXT PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, list TEXT
) STRICT;
CREATE INDEX spending_by_day ON spending (account, at);
"""
_BY_LIST = "CREATE INDEX spending_by_list ON spending (list, at);"
UPGRADE_FROM_2 = "ALTER TABLE spending ADD COLUMN list TEXT;" + _BY_LIST
TABLES += _BY_LIST

MAY_BE_CHARGED = "reserved"
"""The POST may be on its way, or its outcome is unknown."""
ACCEPTED = "accepted"
"""The service has returned an id. A service that holds credits has deducted it."""
CHARGED = "charged"
"""An email was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The user's limits, in credits. None: no limit."""

    daily: int | None = None
    """For each day of UTC."""
    reserve: int | None = None
    """The balance below which nothing is spent."""

    def left(self, *, balance: int, spent_today: int) -> int | None:
        """The credits that may be spent now; None without a limit."""
        limits = []
        if self.daily is not None:
            limits.append(self.daily - spent_today)
        if self.reserve is not None:
            limits.append(balance - self.reserve)
        return max(min(balance, *limits), 0) if limits else None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditCap:
    """The credits that a list may cost, in all processes that work on it."""

    list_id: str
    max_credits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditsView:
    """The credits of an account."""

    balance: int
    spent_today: int
    """Since midnight UTC, by all processes of the user, with credits that may still be charged."""
    left: int | None
    """The credits that the user's budget still allows; None without a budget."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceSnapshot:
    """A balance of the service, and the keys of the credits that it had deducted by then."""

    balance: int
    deducted: frozenset[str]


def count_credit(
    db: sqlite3.Connection,
    account: str,
    key: str,
    budget: Budget,
    snapshot: BalanceSnapshot | None,
    *,
    cap: CreditCap | None,
) -> None:
    """Count a credit for the POST with this key. Raises `BudgetExceeded`."""
    now = time.time()
    # Two statements, each with an index: a list has as many rows as it likes.
    db.execute("DELETE FROM spending WHERE list IS NULL AND at < ?", (now - KEPT_DAYS * DAY,))
    old = "DELETE FROM spending WHERE account = ? AND at < ?"
    db.execute(old, (account, now - LISTS_KEPT_DAYS * DAY))
    if cap is not None and list_credits(db, account, cap.list_id) >= cap.max_credits:
        raise CreditCapReached
    if budget.daily is not None and spent_today(db, account) >= budget.daily:
        raise BudgetExceeded(_daily_budget_spent(budget.daily))
    if budget.reserve is not None and snapshot is not None:
        not_deducted = len(read_states(db, account).keys() - snapshot.deducted)
        if snapshot.balance - not_deducted - 1 < budget.reserve:
            raise BudgetExceeded(_reserve_reached(budget.reserve))
    counted = (key, account, now, MAY_BE_CHARGED, cap and cap.list_id)
    db.execute("INSERT INTO spending VALUES (?, ?, ?, ?, ?)", counted)


def set_state(db: sqlite3.Connection, key: str, state: str) -> None:
    """Set the state of a credit. A charged one stays charged."""
    update = "UPDATE spending SET state = ? WHERE key = ? AND state != ?"
    db.execute(update, (state, key, CHARGED))


def release(db: sqlite3.Connection, key: str) -> None:
    """Stop counting a credit: it was not charged."""
    db.execute("DELETE FROM spending WHERE key = ?", (key,))


def spent_today(db: sqlite3.Connection, account: str) -> int:
    """The credits that the account has spent since midnight UTC, or may still spend."""
    midnight = time.time() // DAY * DAY
    since = "SELECT count(*) FROM spending WHERE account = ? AND at >= ?"
    found: int = db.execute(since, (account, midnight)).fetchone()[0]
    return found


def list_credits(db: sqlite3.Connection, account: str, list_id: str) -> int:
    """The credits that a list of this account has cost, or may still cost."""
    of_list = "SELECT count(*) FROM spending WHERE list = ? AND account = ?"
    found: int = db.execute(of_list, (list_id, account)).fetchone()[0]
    return found


def read_states(db: sqlite3.Connection, account: str) -> dict[str, str]:
    """The state of each credit that counts against the budget, by its key."""
    since = "SELECT key, state FROM spending WHERE account = ? AND at >= ?"
    return dict(db.execute(since, (account, time.time() - KEPT_DAYS * DAY)))


def _daily_budget_spent(daily: int) -> Explanation:
    return Explanation(
        happened=f"The daily budget of {daily} credits (ENRICHMENT_DAILY_BUDGET) is spent.",
        money=NOTHING_SENT,
        for_person="Try again after midnight UTC, or raise it.",
        for_assistant="Tell the user; do not retry before midnight UTC unless it is raised.",
    )


def _reserve_reached(reserve: int) -> Explanation:
    return Explanation(
        happened=f"The balance may not fall below {reserve} credits (ENRICHMENT_RESERVE), and with "
        "the lookups that are under way it would.",
        money=NOTHING_SENT,
        for_person="Add credits, or lower the reserve.",
        for_assistant="Tell the user; do not retry unless credits are added or the reserve is "
        "lowered.",
    )
