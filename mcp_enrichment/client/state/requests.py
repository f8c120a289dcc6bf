"""The requests of one account, in a file that all processes of a user share.

It makes sure that nobody pays twice: a request is saved, and its credit counted, before its POST is
sent. The file holds ids, states and times, but no email, name or API key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from mcp_enrichment.client.poll_schedule import KEPT_DURATIONS
from mcp_enrichment.client.state import records, send_lock, spending
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    compare_and_set,
    dedup_key,
    delete_orphan_posts,
    delete_post,
    find_all,
    find_one,
    find_post,
    read_stored,
    replace_rows,
)
from mcp_enrichment.client.state.sqlite_file import Schema, SQLiteFile
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_enrichment.client.state.records import PendingPost
    from mcp_enrichment.client.state.spending import BalanceSnapshot, Budget

KEEP = 365 * spending.DAY
"""Seconds for which a request is kept."""

SCHEMA = Schema(
    version=1,
    tables=records.TABLES
    + spending.TABLES
    + """
CREATE TABLE idempotent_accounts (account TEXT PRIMARY KEY) STRICT;
CREATE TABLE durations (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, seconds REAL NOT NULL
) STRICT;
CREATE INDEX durations_by_account ON durations (account, id);
""",
    contains="the memory of past requests",
    if_lost="what it held may be paid for again",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOutcome:
    """A request that became final."""

    record: RequestRecord
    status: Status
    charged: bool
    duration: float | None
    """Seconds; None if a wait did not see it become final."""


class RequestStore:
    """The requests of one account. Every method raises `StorageFailed`."""

    def __init__(self, path: Path, account: str, *, keep: float = KEEP) -> None:
        self.account = account
        self.path = path
        self._file = SQLiteFile(path, SCHEMA)
        self._keep = keep

    async def reserve(
        self,
        record: RequestRecord,
        post: PendingPost,
        *,
        expected: StoredRequest,
        budget: Budget,
        snapshot: BalanceSnapshot | None,
    ) -> bool:
        """Save a request and count its credit, before its POST is sent.

        False if another caller has changed the `expected` rows. Raises `BudgetExceeded`, and then
        saves nothing.
        """

        def reserve(db: sqlite3.Connection) -> bool:
            _delete_older(db, self.account, time.time() - self._keep)
            if not compare_and_set(db, record, post, expected):
                return False
            spending.reserve(db, self.account, record.key, budget, snapshot)
            return True

        return await self._file.run(reserve)

    async def reserve_again(
        self, record: RequestRecord, post: PendingPost, *, expected: StoredRequest
    ) -> bool:
        """Save that an earlier POST, whose credit counts already, is sent again."""
        return await self._file.run(lambda db: compare_and_set(db, record, post, expected))

    async def find(self, dedup_key: str) -> RequestRecord | None:
        """The request with this key; None if it is too old."""
        return (await self.load(dedup_key)).record

    async def load(self, dedup_key: str) -> StoredRequest:
        """The rows of the request with this key; none if it is too old."""

        def load(db: sqlite3.Connection) -> StoredRequest:
            stored = read_stored(db, dedup_key)
            if stored.record is None or stored.record.asked_at < time.time() - self._keep:
                return StoredRequest()
            is_asking = stored.record.state is SubmitState.ASKING
            if is_asking and stored.post and send_lock.is_held(self.path, stored.post.sender):
                return replace(stored, is_being_sent=True)
            return stored

        return await self._file.run(load)

    async def find_by_ids(self, ids: Iterable[str]) -> Mapping[str, RequestRecord]:
        """The requests with these ids of the service."""

        def find(db: sqlite3.Connection) -> dict[str, RequestRecord]:
            mine = "enrichment_id = ? AND account = ?"
            return {i: row for i in set(ids) if (row := find_one(db, mine, i, self.account))}

        return await self._file.run(find)

    async def mark_accepted(self, record: RequestRecord, enrichment_id: str) -> bool:
        """Save the id that the service returned. False if another process, which has sent the same
        POST, has saved it already."""

        def accept(db: sqlite3.Connection) -> bool:
            spending.set_state(db, record.key, spending.ACCEPTED)
            mine = (record.dedup_key, record.key)
            accepted = (
                "UPDATE requests SET state = ?, enrichment_id = ?"
                " WHERE dedup_key = ? AND key = ? AND enrichment_id IS NULL"
            )
            if db.execute(accepted, (SubmitState.ACCEPTED, enrichment_id, *mine)).rowcount:
                delete_post(db, record.dedup_key)
                return True
            return find_one(db, "dedup_key = ? AND key = ?", *mine) is None

        return await self._file.run(accept)

    async def mark_unknown(self, record: RequestRecord, post: PendingPost) -> None:
        """Save that the POST may have arrived, unless another process is sending it again."""

        def mark(db: sqlite3.Connection) -> None:
            stored = find_post(db, post.dedup_key)
            if stored and stored.sender == post.sender:
                unknown = "UPDATE requests SET state = ? WHERE dedup_key = ? AND key = ?"
                db.execute(unknown, (SubmitState.UNKNOWN, record.dedup_key, record.key))

        await self._file.run(mark)

    async def save_body(self, post: PendingPost, body: str) -> None:
        """Replace the encrypted body of a pending POST."""
        changed = "UPDATE pending_posts SET body = ? WHERE dedup_key = ? AND sender = ?"
        values = (body, post.dedup_key, post.sender)
        await self._file.run(lambda db: db.execute(changed, values))

    async def save_outcomes(self, outcomes: Iterable[RequestOutcome]) -> None:
        """Save how these requests became final. Saving one twice changes nothing."""

        def save(db: sqlite3.Connection) -> None:
            for outcome in outcomes:
                _save_outcome(db, self.account, outcome)

        await self._file.run(save)

    async def release(
        self, record: RequestRecord, post: PendingPost | None, before: StoredRequest
    ) -> None:
        """Undo `reserve` or `reserve_again` after the service has refused the POST.

        It leaves the rows that another process has written since, and the credit of a POST that
        another process is sending again.
        """

        def release(db: sqlite3.Connection) -> None:
            stored = read_stored(db, record.dedup_key)
            sender = stored.post.sender if stored.post else None
            if sender == (post.sender if post else None) and stored.record == record:
                replace_rows(db, record.dedup_key, before.record, before.post)
            now = find_one(db, "dedup_key = ?", record.dedup_key)
            if now is None or now.key != record.key:
                spending.release(db, record.key)

        await self._file.run(release)

    async def supports_idempotency(self) -> bool:
        """Whether the service of this account has shown that it honours `Idempotency-Key`."""
        found = "SELECT 1 FROM idempotent_accounts WHERE account = ?"
        return await self._file.run(
            lambda db: db.execute(found, (self.account,)).fetchone() is not None
        )

    async def mark_idempotent(self) -> None:
        """Save that the service of this account honours `Idempotency-Key`."""
        insert = "INSERT OR IGNORE INTO idempotent_accounts VALUES (?)"
        await self._file.run(lambda db: db.execute(insert, (self.account,)))

    async def durations(self) -> Sequence[float]:
        """The seconds that the last lookups of this account took."""
        query = "SELECT seconds FROM durations WHERE account = ?"
        return await self._file.run(
            lambda db: [seconds for (seconds,) in db.execute(query, (self.account,))]
        )

    async def spent_today(self) -> int:
        """The credits that the account has spent since midnight UTC, or may still spend."""
        return await self._file.run(lambda db: spending.spent_today(db, self.account))

    async def credit_states(self) -> Mapping[str, str]:
        """The state of each credit that counts, by its key."""
        return await self._file.run(lambda db: spending.read_states(db, self.account))

    async def newest(self, limit: int) -> Sequence[RequestRecord]:
        """The account's requests, the newest first."""
        where = "account = ? ORDER BY asked_at DESC LIMIT ?"
        return await self._file.run(lambda db: find_all(db, where, self.account, limit))

    async def forget(self, dedup_keys: Iterable[str]) -> int:
        """Delete these requests; return how many there were. Their credits still count."""
        return await self._file.run(lambda db: _delete(db, dedup_keys))

    async def forget_profiles(self, profiles: Iterable[str]) -> int:
        """Delete the requests of all accounts about these canonical profile URLs; return how many
        there were."""

        def forget(db: sqlite3.Connection) -> int:
            accounts = [one for (one,) in db.execute("SELECT DISTINCT account FROM requests")]
            keys = product(accounts, profiles, EmailType)
            return _delete(db, (dedup_key(*parts) for parts in keys))

        return await self._file.run(forget)

    async def clear(self) -> int:
        """Delete the requests of all accounts; return how many there were."""

        def clear(db: sqlite3.Connection) -> int:
            db.execute("DELETE FROM pending_posts")
            return db.execute("DELETE FROM requests").rowcount

        return await self._file.run(clear)


def _save_outcome(db: sqlite3.Connection, account: str, outcome: RequestOutcome) -> None:
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
        _add_duration(db, account, outcome.duration)


def _delete(db: sqlite3.Connection, dedup_keys: Iterable[str]) -> int:
    one = "DELETE FROM requests WHERE dedup_key = ?"
    count = sum(db.execute(one, (key,)).rowcount for key in dedup_keys)
    delete_orphan_posts(db)
    return count


def _delete_older(db: sqlite3.Connection, account: str, than: float) -> None:
    db.execute("DELETE FROM requests WHERE account = ? AND asked_at < ?", (account, than))
    delete_orphan_posts(db)


def _add_duration(db: sqlite3.Connection, account: str, seconds: float) -> None:
    db.execute("INSERT INTO durations (account, seconds) VALUES (?, ?)", (account, seconds))
    older = "SELECT id FROM durations WHERE account = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM durations WHERE id IN ({older})", (account, KEPT_DURATIONS))  # noqa: S608
