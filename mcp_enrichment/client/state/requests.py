"""The memory that never pays twice: what was asked, kept by all processes of a user in one file.

It holds ids, ends and times; neither an address nor a name nor a key. A question is known by a hash
of the account, the profile and the type.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from mcp_enrichment.client.poll_schedule import KEPT_DURATIONS
from mcp_enrichment.client.state import pending_posts, send_lock, spending
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    compare_and_set,
    dedup_key,
    find_all,
    find_one,
    read_stored,
    replace_row,
)
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_enrichment.client.state.pending_posts import PendingPost
    from mcp_enrichment.client.state.spending import BalanceSnapshot, Budget

KEEP = 365 * spending.DAY
"""Seconds for which a question is remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOutcome:
    """How a question ended."""

    record: RequestRecord
    status: Status
    charged: bool
    duration: float | None
    """Seconds, where its end was seen as it came."""


class RequestStore:
    """What one user's processes have asked on one account."""

    def __init__(self, path: Path, account: str, *, keep: float = KEEP) -> None:
        self.account = account
        self.path = path
        self._file = SQLiteFile(path)
        self._keep = keep

    async def reserve(
        self,
        record: RequestRecord,
        post: PendingPost,
        *,
        expected: StoredRequest,
        budget: Budget,
        seen: BalanceSnapshot | None,
    ) -> bool:
        """Write a question down, and count its credit, before it is asked.

        False where somebody was faster: `over` is what the caller has seen and replaces.
        Raises `BudgetExceeded`, and then nothing is written.
        """

        def reserve(db: sqlite3.Connection) -> bool:
            _forget_older(db, self.account, time.time() - self._keep)
            if not compare_and_set(db, record, post, expected):
                return False
            spending.reserve(db, self.account, record.key, budget, seen)
            return True

        return await self._file.run(reserve)

    async def reserve_again(
        self, record: RequestRecord, post: PendingPost, *, expected: StoredRequest
    ) -> bool:
        """Write down that an earlier POST, counted already, is sent again; False as in `claim`."""
        return await self._file.run(lambda db: compare_and_set(db, record, post, expected))

    async def find(self, dedup_key: str) -> RequestRecord | None:
        """What is known of a question that is not too old to be remembered."""
        return (await self.load(dedup_key)).record

    async def load(self, dedup_key: str) -> StoredRequest:
        """The same, with its POST where that has come to nothing yet."""

        def load(db: sqlite3.Connection) -> StoredRequest:
            known = read_stored(db, dedup_key)
            if known.record is None or known.record.asked_at < time.time() - self._keep:
                return StoredRequest()
            may_be = known.post is not None and known.record.state is SubmitState.ASKING
            if may_be and known.post and send_lock.is_held(self.path, known.post.sender):
                return replace(known, is_being_sent=True)
            return known

        return await self._file.run(load)

    async def find_by_ids(self, ids: Iterable[str]) -> Mapping[str, RequestRecord]:
        """What is known of the requests with these ids, as the service has given them."""

        def find(db: sqlite3.Connection) -> dict[str, RequestRecord]:
            mine = "enrichment_id = ? AND account = ?"
            return {i: row for i in set(ids) if (row := find_one(db, mine, i, self.account))}

        return await self._file.run(find)

    async def mark_accepted(self, record: RequestRecord, enrichment_id: str) -> bool:
        """The service has answered with an id. False where that was known: the same POST was sent
        by another process too."""

        def note(db: sqlite3.Connection) -> bool:
            spending.set_state(db, record.key, spending.ACCEPTED)
            mine = (record.dedup_key, record.key)
            accepted = (
                "UPDATE asked SET state = ?, enrichment_id = ?"
                " WHERE dedup_key = ? AND key = ? AND enrichment_id IS NULL"
            )
            if db.execute(accepted, (SubmitState.ACCEPTED, enrichment_id, *mine)).rowcount:
                pending_posts.replace(db, record.dedup_key, None)
                return True
            now = find_one(db, "dedup_key = ? AND key = ?", *mine)
            return now is None

        return await self._file.run(note)

    async def mark_unknown(self, record: RequestRecord, post: PendingPost) -> None:
        """Whether the POST has arrived is not known."""

        def note(db: sqlite3.Connection) -> None:
            if pending_posts.is_sent_by(db, post):
                unknown = "UPDATE asked SET state = ? WHERE dedup_key = ? AND key = ?"
                db.execute(unknown, (SubmitState.UNKNOWN, record.dedup_key, record.key))

        await self._file.run(note)

    async def save_body(self, post: PendingPost, body: str) -> None:
        """The POST is sent with this body, sealed, from now on."""
        changed = "UPDATE posts SET body = ? WHERE dedup_key = ? AND sender = ?"
        values = (body, post.dedup_key, post.sender)
        await self._file.run(lambda db: db.execute(changed, values))

    async def save_outcomes(self, ends: Iterable[RequestOutcome]) -> None:
        """These requests have ended; told again, nothing changes."""

        def note(db: sqlite3.Connection) -> None:
            for ended in ends:
                _note_end(db, self.account, ended)

        await self._file.run(note)

    async def release(
        self, record: RequestRecord, post: PendingPost | None, before: StoredRequest
    ) -> None:
        """The question was not asked after all: what was known of it before holds again.

        What somebody else has written since stays, and so does the credit of a POST that somebody
        else has sent again meanwhile, or may have to.
        """

        def release(db: sqlite3.Connection) -> None:
            known = read_stored(db, record.dedup_key)
            sender = known.post.sender if known.post else None
            if sender == (post.sender if post else None) and known.record == record:
                replace_row(db, record.dedup_key, before.record, before.post)
            now = find_one(db, "dedup_key = ?", record.dedup_key)
            if now is None or now.key != record.key:
                spending.release(db, record.key)

        await self._file.run(release)

    async def supports_idempotency(self) -> bool:
        """Whether this account's server has shown that it honours `Idempotency-Key`."""
        found = "SELECT 1 FROM honours_keys WHERE account = ?"
        return await self._file.run(
            lambda db: db.execute(found, (self.account,)).fetchone() is not None
        )

    async def mark_idempotent(self) -> None:
        """This account's server has shown that it honours `Idempotency-Key`."""
        note = "INSERT OR IGNORE INTO honours_keys VALUES (?)"
        await self._file.run(lambda db: db.execute(note, (self.account,)))

    async def durations(self) -> Sequence[float]:
        """How long this account's last lookups took, in seconds."""
        seconds = "SELECT seconds FROM durations WHERE account = ?"
        return await self._file.run(
            lambda db: [duration for (duration,) in db.execute(seconds, (self.account,))]
        )

    async def spent_today(self) -> int:
        """The account's credits that were spent since midnight UTC, or may still be."""
        return await self._file.run(lambda db: spending.spent_today(db, self.account))

    async def credit_states(self) -> Mapping[str, str]:
        """How far each of the account's counted credits has come, by its key."""
        return await self._file.run(lambda db: spending.read_states(db, self.account))

    async def newest(self, limit: int) -> Sequence[RequestRecord]:
        """The account's questions, the newest first."""
        where = "account = ? ORDER BY asked_at DESC LIMIT ?"
        return await self._file.run(lambda db: find_all(db, where, self.account, limit))

    async def forget(self, identities: Iterable[str]) -> int:
        """Forget these questions; how many were known. What was spent on them stays counted."""

        def forget(db: sqlite3.Connection) -> int:
            return _forget(db, identities)

        return await self._file.run(forget)

    async def forget_profiles(self, profiles: Iterable[str]) -> int:
        """Forget what was asked about these canonical profiles on whatever account; how many
        questions were known."""

        def forget(db: sqlite3.Connection) -> int:
            accounts = [one for (one,) in db.execute("SELECT DISTINCT account FROM asked")]
            record = product(accounts, profiles, EmailType)
            return _forget(db, (dedup_key(*question) for question in record))

        return await self._file.run(forget)

    async def clear(self) -> int:
        """Forget every question of every account; how many there were."""

        def clear(db: sqlite3.Connection) -> int:
            db.execute("DELETE FROM posts")
            return db.execute("DELETE FROM asked").rowcount

        return await self._file.run(clear)


def _note_end(db: sqlite3.Connection, account: str, ended: RequestOutcome) -> None:
    note = (
        "UPDATE asked SET status = ?, ended_at = ? WHERE dedup_key = ? AND key = ?"
        " AND ended_at IS NULL"
    )
    values = (ended.status, time.time(), ended.record.dedup_key, ended.record.key)
    if not db.execute(note, values).rowcount:
        return
    if ended.charged:
        spending.set_state(db, ended.record.key, spending.CHARGED)
    else:
        spending.release(db, ended.record.key)
    if ended.duration is not None:
        _add_duration(db, account, ended.duration)


def _forget(db: sqlite3.Connection, identities: Iterable[str]) -> int:
    one = "DELETE FROM asked WHERE dedup_key = ?"
    count = sum(db.execute(one, (dedup_key,)).rowcount for dedup_key in identities)
    pending_posts.delete_orphans(db)
    return count


def _forget_older(db: sqlite3.Connection, account: str, than: float) -> None:
    db.execute("DELETE FROM asked WHERE account = ? AND asked_at < ?", (account, than))
    pending_posts.delete_orphans(db)


def _add_duration(db: sqlite3.Connection, account: str, seconds: float) -> None:
    db.execute("INSERT INTO durations (account, seconds) VALUES (?, ?)", (account, seconds))
    older = "SELECT id FROM durations WHERE account = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM durations WHERE id IN ({older})", (account, KEPT_DURATIONS))  # noqa: S608
