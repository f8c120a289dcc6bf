"""The requests of one account, in a file that all processes of a user share.

It makes sure that nobody pays twice: a request is saved, and its credit counted, before its POST is
sent. The file holds ids, states and times, but no email, name or API key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Self

from mcp_enrichment.client.poll_schedule import KEPT_DURATIONS
from mcp_enrichment.client.state import records, spending
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    dedup_key,
    delete_orphan_posts,
    find_all,
    read_stored,
    replace_rows,
)
from mcp_enrichment.client.state.send_lock import SendLock
from mcp_enrichment.client.state.sqlite_file import (
    Schema,
    SQLiteFile,
    SQLiteStore,
    read_transaction,
    transaction,
)
from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.errors import BudgetExceeded
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.records import PendingPost
    from mcp_enrichment.client.state.spending import BalanceSnapshot, Budget, CreditCap

KEEP = 365 * DAY
"""Seconds for which a request is kept."""

SAVED_LISTS = """
CREATE TABLE saved_lists (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL, content TEXT NOT NULL
) STRICT;
"""

SCHEMA = Schema(
    version=3,
    tables=records.TABLES
    + spending.TABLES
    + """
CREATE TABLE idempotent_accounts (account TEXT PRIMARY KEY) STRICT;
CREATE TABLE durations (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, seconds REAL NOT NULL
) STRICT;
CREATE INDEX durations_by_account ON durations (account, id);
"""
    + SAVED_LISTS,
    contains="the memory of past requests",
    if_lost="what it held may be paid for again",
    upgrades={2: spending.UPGRADE_FROM_2 + SAVED_LISTS},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalRequest:
    """A request that became final."""

    record: RequestRecord
    status: Status
    charged: bool
    duration: float | None
    """Seconds; None if a wait did not see it become final."""

    @classmethod
    def of(
        cls, record: RequestRecord, result: EnrichmentResult, duration: float | None = None
    ) -> Self:
        """The outcome of a final result."""
        charged = bool(result.credits_charged)
        return cls(record=record, status=result.status, charged=charged, duration=duration)


class RequestStore(SQLiteStore):
    """The requests of one account. Every method raises `StorageFailed`."""

    def __init__(
        self,
        path: Path,
        account: str,
        *,
        keep: float = KEEP,
        supports_idempotency: bool = False,
    ) -> None:
        """`supports_idempotency`: as for `EnrichmentClient`."""
        self.account = account
        self.send_lock = SendLock(path)
        self._file = SQLiteFile(path, SCHEMA)
        self._keep = keep
        self._supports_idempotency = supports_idempotency

    def close(self) -> None:
        # A transaction that waits for another process still takes the lock.
        self._file.close(then=self.send_lock.close)

    async def save_before_post(
        self,
        record: RequestRecord,
        post: PendingPost,
        *,
        expected: StoredRequest,
        budget: Budget | None,
        snapshot: BalanceSnapshot | None = None,
        cap: CreditCap | None = None,
    ) -> bool:
        """Save a request before its POST is sent, and count its credit against the budget.

        `budget`: None if an earlier POST is sent again, whose credit counts already. Returns False
        if another caller has changed the `expected` rows. Raises `BudgetExceeded`, and then saves
        nothing.
        """
        saved = await self._save_before_post(
            record, post, expected=expected, budget=budget, snapshot=snapshot, cap=cap
        )
        if isinstance(saved, BudgetExceeded):
            raise saved
        return saved

    @transaction
    def _save_before_post(
        self,
        db: sqlite3.Connection,
        record: RequestRecord,
        post: PendingPost,
        *,
        expected: StoredRequest,
        budget: Budget | None,
        snapshot: BalanceSnapshot | None,
        cap: CreditCap | None,
    ) -> bool | BudgetExceeded:
        """As `save_before_post`. The error is returned: if it were raised, all calls that share the
        commit would get one of their own."""
        before = time.time() - self._keep
        old = "DELETE FROM requests WHERE account = ? AND asked_at < ?"
        if db.execute(old, (self.account, before)).rowcount:
            delete_orphan_posts(db)
        if read_stored(db, record.dedup_key) != replace(expected, is_being_sent=False):
            return False
        if budget is not None:
            try:
                spending.count_credit(db, self.account, record.key, budget, snapshot, cap=cap)
            except BudgetExceeded as error:
                return error
        self.send_lock.hold()
        replace_rows(db, record.dedup_key, record, post)
        return True

    @read_transaction
    def load(self, db: sqlite3.Connection, dedup_key: str) -> StoredRequest:
        """The rows of the request with this key; none if it is too old."""
        return self._load(db, dedup_key)

    @read_transaction
    def load_all(
        self, db: sqlite3.Connection, dedup_keys: Iterable[str]
    ) -> Sequence[StoredRequest]:
        """The rows of the requests with these keys, in their order."""
        return [self._load(db, key) for key in dedup_keys]

    def _load(self, db: sqlite3.Connection, dedup_key: str) -> StoredRequest:
        stored = read_stored(db, dedup_key)
        if stored.record is None or stored.record.asked_at < time.time() - self._keep:
            return StoredRequest()
        is_asking = stored.record.state is SubmitState.ASKING
        if is_asking and stored.post and self.send_lock.is_sending(stored.post.sender):
            return replace(stored, is_being_sent=True)
        return stored

    @read_transaction
    def list_credits(self, db: sqlite3.Connection, list_id: str) -> int:
        """The credits that a list has cost, or may still cost."""
        return spending.list_credits(db, self.account, list_id)

    @transaction
    def save_list(self, db: sqlite3.Connection, hashed_id: str, encrypted: str) -> None:
        """Save the content of a list."""
        now = time.time()
        db.execute("DELETE FROM saved_lists WHERE at < ?", (now - self._keep,))
        values = (hashed_id, self.account, now, encrypted)
        db.execute("INSERT INTO saved_lists VALUES (?, ?, ?, ?)", values)

    @read_transaction
    def find_list(self, db: sqlite3.Connection, hashed_id: str) -> str | None:
        """The content of a saved list; None if this account has no such list."""
        mine = "SELECT content FROM saved_lists WHERE id = ? AND account = ?"
        content: str | None
        for (content,) in db.execute(mine, (hashed_id, self.account)):
            return content
        return None

    @read_transaction
    def find_by_ids(
        self, db: sqlite3.Connection, ids: Iterable[str]
    ) -> Mapping[str, RequestRecord]:
        """The requests with these ids of the service."""
        mine = "enrichment_id = ? AND account = ?"
        return {i: row for i in set(ids) for row in find_all(db, mine, i, self.account)}

    @transaction
    def mark_accepted(
        self,
        db: sqlite3.Connection,
        record: RequestRecord,
        enrichment_id: str,
        outcome: FinalRequest | None = None,
    ) -> bool:
        """Save the id that the service returned, and the outcome if it is final. False if another
        process, which has sent the same POST, has saved it already."""
        spending.set_state(db, record.key, spending.ACCEPTED)
        mine = (record.dedup_key, record.key)
        accepted = (
            "UPDATE requests SET state = ?, enrichment_id = ?"
            " WHERE dedup_key = ? AND key = ? AND enrichment_id IS NULL"
        )
        if db.execute(accepted, (SubmitState.ACCEPTED, enrichment_id, *mine)).rowcount:
            db.execute("DELETE FROM pending_posts WHERE dedup_key = ?", (record.dedup_key,))
            if outcome:
                self._save_outcome(db, outcome)
            return True
        return not find_all(db, "dedup_key = ? AND key = ?", *mine)

    @transaction
    def mark_unknown(
        self, db: sqlite3.Connection, record: RequestRecord, post: PendingPost
    ) -> None:
        """Save that the POST may have arrived, unless another process is sending it again."""
        unknown = (
            "UPDATE requests SET state = ? WHERE dedup_key = ? AND key = ?"
            " AND dedup_key IN (SELECT dedup_key FROM pending_posts WHERE sender = ?)"
        )
        db.execute(unknown, (SubmitState.UNKNOWN, record.dedup_key, record.key, post.sender))

    @transaction
    def save_body(self, db: sqlite3.Connection, post: PendingPost, body: str) -> None:
        """Replace the encrypted body of a pending POST."""
        changed = "UPDATE pending_posts SET body = ? WHERE dedup_key = ? AND sender = ?"
        db.execute(changed, (body, post.dedup_key, post.sender))

    @transaction
    def save_outcome(self, db: sqlite3.Connection, outcome: FinalRequest) -> None:
        """Save how a request became final. Saving it twice changes nothing."""
        self._save_outcome(db, outcome)

    def _save_outcome(self, db: sqlite3.Connection, outcome: FinalRequest) -> None:
        update = (
            "UPDATE requests SET status = ?, ended_at = ? WHERE dedup_key = ? AND key = ?"
            " AND ended_at IS NULL"
        )
        record = outcome.record
        values = (outcome.status, time.time(), record.dedup_key, record.key)
        if not db.execute(update, values).rowcount:
            return
        if outcome.charged:
            spending.set_state(db, record.key, spending.CHARGED)
        else:
            spending.release(db, record.key)
        if outcome.duration is not None:
            _add_duration(db, self.account, outcome.duration)

    @transaction
    def release(
        self,
        db: sqlite3.Connection,
        record: RequestRecord,
        post: PendingPost | None,
        before: StoredRequest,
    ) -> None:
        """Undo `save_before_post` after the service has refused the POST.

        It leaves the rows that another process has written since, and the credit of a POST that
        another process is sending again.
        """
        stored = read_stored(db, record.dedup_key)
        sender = stored.post.sender if stored.post else None
        if sender == (post.sender if post else None) and stored.record == record:
            replace_rows(db, record.dedup_key, before.record, before.post)
        if not find_all(db, "dedup_key = ? AND key = ?", record.dedup_key, record.key):
            spending.release(db, record.key)

    async def supports_idempotency(self) -> bool:
        """Whether the service of this account is known to honour `Idempotency-Key`."""
        self._supports_idempotency = self._supports_idempotency or await self._is_idempotent()
        return self._supports_idempotency

    @read_transaction
    def _is_idempotent(self, db: sqlite3.Connection) -> bool:
        found = "SELECT 1 FROM idempotent_accounts WHERE account = ?"
        return db.execute(found, (self.account,)).fetchone() is not None

    @transaction
    def mark_idempotent(self, db: sqlite3.Connection) -> None:
        """Save that the service of this account honours `Idempotency-Key`."""
        db.execute("INSERT OR IGNORE INTO idempotent_accounts VALUES (?)", (self.account,))

    @read_transaction
    def durations(self, db: sqlite3.Connection) -> Sequence[float]:
        """The seconds that the last lookups of this account took."""
        found = db.execute("SELECT seconds FROM durations WHERE account = ?", (self.account,))
        return [seconds for (seconds,) in found]

    @read_transaction
    def spent_today(self, db: sqlite3.Connection) -> int:
        """The credits that the account has spent since midnight UTC, or may still spend."""
        return spending.spent_today(db, self.account)

    @read_transaction
    def credit_states(self, db: sqlite3.Connection) -> Mapping[str, str]:
        """The state of each credit that counts, by its key."""
        return spending.read_states(db, self.account)

    @read_transaction
    def newest(self, db: sqlite3.Connection, limit: int) -> Sequence[RequestRecord]:
        """The account's requests, the newest first."""
        return find_all(db, "account = ? ORDER BY asked_at DESC LIMIT ?", self.account, limit)

    @transaction
    def forget(self, db: sqlite3.Connection, dedup_keys: Iterable[str]) -> int:
        """Delete these requests; return how many there were. Their credits still count."""
        return _delete(db, dedup_keys)

    @transaction
    def forget_profiles(self, db: sqlite3.Connection, profiles: Iterable[str]) -> int:
        """Delete the requests of all accounts about these canonical profile URLs; return how many
        there were."""
        accounts = [one for (one,) in db.execute("SELECT DISTINCT account FROM requests")]
        keys = product(accounts, profiles, EmailType)
        return _delete(db, (dedup_key(*parts) for parts in keys))

    @transaction
    def clear(self, db: sqlite3.Connection) -> int:
        """Delete the requests of all accounts; return how many there were."""
        _empty_journal(db)
        db.execute("DELETE FROM pending_posts")
        return db.execute("DELETE FROM requests").rowcount


def _delete(db: sqlite3.Connection, dedup_keys: Iterable[str]) -> int:
    _empty_journal(db)
    one = "DELETE FROM requests WHERE dedup_key = ?"
    count = sum(db.execute(one, (key,)).rowcount for key in dedup_keys)
    delete_orphan_posts(db)
    return count


def _add_duration(db: sqlite3.Connection, account: str, seconds: float) -> None:
    db.execute("INSERT INTO durations (account, seconds) VALUES (?, ?)", (account, seconds))
    older = "SELECT id FROM durations WHERE account = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM durations WHERE id IN ({older})", (account, KEPT_DURATIONS))  # noqa: S608


def _empty_journal(db: sqlite3.Connection) -> None:
    """Empty the journal when this transaction is committed: it holds what is being deleted."""
    db.execute("PRAGMA journal_mode = TRUNCATE")
