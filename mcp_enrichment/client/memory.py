"""The memory that never pays twice: what was asked, kept by all processes of a user in one file.

It holds ids, ends and times; neither an address nor a name nor a key. A question is known by a hash
of the account, the profile and the type.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from mcp_enrichment.client import posts, send_lock, spending
from mcp_enrichment.client.asked import (
    Asked,
    Known,
    State,
    first,
    identity,
    known_of,
    rows,
    swap,
    write,
)
from mcp_enrichment.client.memory_file import MemoryFile
from mcp_enrichment.client.schedule import KEPT_DURATIONS
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_enrichment.client.posts import Post
    from mcp_enrichment.client.spending import Budget, Seen

KEEP = 365 * spending.DAY
"""Seconds for which a question is remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a question ended."""

    asked: Asked
    status: Status
    charged: bool
    took: float | None
    """Seconds, where its end was seen as it came."""


class Memory:
    """What one user's processes have asked on one account."""

    def __init__(self, path: Path, account: str, *, keep: float = KEEP) -> None:
        self.account = account
        self.path = path
        self._file = MemoryFile(path)
        self._keep = keep

    async def claim(
        self, asked: Asked, post: Post, *, over: Known, budget: Budget, seen: Seen | None
    ) -> bool:
        """Write a question down, and count its credit, before it is asked.

        False where somebody was faster: `over` is what the caller has seen and replaces.
        Raises `BudgetExceeded`, and then nothing is written.
        """

        def claim(db: sqlite3.Connection) -> bool:
            _forget_older(db, self.account, time.time() - self._keep)
            if not swap(db, asked, post, over):
                return False
            spending.count(db, self.account, asked.key, budget, seen)
            return True

        return await self._file.run(claim)

    async def take_over(self, asked: Asked, post: Post, *, over: Known) -> bool:
        """Write down that an earlier POST, counted already, is sent again; False as in `claim`."""
        return await self._file.run(lambda db: swap(db, asked, post, over))

    async def recall(self, identity: str) -> Asked | None:
        """What is known of a question that is not too old to be remembered."""
        return (await self.look(identity)).asked

    async def look(self, identity: str) -> Known:
        """The same, with its POST where that has come to nothing yet."""

        def look(db: sqlite3.Connection) -> Known:
            known = known_of(db, identity)
            if known.asked is None or known.asked.asked_at < time.time() - self._keep:
                return Known()
            may_be = known.post is not None and known.asked.state is State.ASKING
            if may_be and known.post and send_lock.is_held(self.path, known.post.sender):
                return replace(known, is_being_sent=True)
            return known

        return await self._file.run(look)

    async def by_ids(self, ids: Iterable[str]) -> Mapping[str, Asked]:
        """What is known of the requests with these ids, as the service has given them."""

        def find(db: sqlite3.Connection) -> dict[str, Asked]:
            mine = "enrichment_id = ? AND account = ?"
            return {i: row for i in set(ids) if (row := first(db, mine, i, self.account))}

        return await self._file.run(find)

    async def note_accepted(self, asked: Asked, enrichment_id: str) -> bool:
        """The service has answered with an id. False where that was known: the same POST was sent
        by another process too."""

        def note(db: sqlite3.Connection) -> bool:
            spending.note(db, asked.key, spending.ACCEPTED)
            mine = (asked.identity, asked.key)
            accepted = (
                "UPDATE asked SET state = ?, enrichment_id = ?"
                " WHERE identity = ? AND key = ? AND enrichment_id IS NULL"
            )
            if db.execute(accepted, (State.ACCEPTED, enrichment_id, *mine)).rowcount:
                posts.put(db, asked.identity, None)
                return True
            now = first(db, "identity = ? AND key = ?", *mine)
            return now is None

        return await self._file.run(note)

    async def note_unknown(self, asked: Asked, post: Post) -> None:
        """Whether the POST has arrived is not known."""

        def note(db: sqlite3.Connection) -> None:
            if posts.is_sent_by(db, post):
                unknown = "UPDATE asked SET state = ? WHERE identity = ? AND key = ?"
                db.execute(unknown, (State.UNKNOWN, asked.identity, asked.key))

        await self._file.run(note)

    async def note_body(self, post: Post, body: str) -> None:
        """The POST is sent with this body, sealed, from now on."""
        changed = "UPDATE posts SET body = ? WHERE identity = ? AND sender = ?"
        values = (body, post.identity, post.sender)
        await self._file.run(lambda db: db.execute(changed, values))

    async def note_ends(self, ends: Iterable[Ended]) -> None:
        """These requests have ended; told again, nothing changes."""

        def note(db: sqlite3.Connection) -> None:
            for ended in ends:
                _note_end(db, self.account, ended)

        await self._file.run(note)

    async def put_back(self, asked: Asked, post: Post | None, before: Known) -> None:
        """The question was not asked after all: what was known of it before holds again.

        What somebody else has written since stays, and so does the credit of a POST that somebody
        else has sent again meanwhile, or may have to.
        """

        def put_back(db: sqlite3.Connection) -> None:
            known = known_of(db, asked.identity)
            sender = known.post.sender if known.post else None
            if sender == (post.sender if post else None) and known.asked == asked:
                write(db, asked.identity, before.asked, before.post)
            now = first(db, "identity = ?", asked.identity)
            if now is None or now.key != asked.key:
                spending.give_back(db, asked.key)

        await self._file.run(put_back)

    async def honours_keys(self) -> bool:
        """Whether this account's server has shown that it honours `Idempotency-Key`."""
        found = "SELECT 1 FROM honours_keys WHERE account = ?"
        return await self._file.run(
            lambda db: db.execute(found, (self.account,)).fetchone() is not None
        )

    async def note_honours_keys(self) -> None:
        """This account's server has shown that it honours `Idempotency-Key`."""
        note = "INSERT OR IGNORE INTO honours_keys VALUES (?)"
        await self._file.run(lambda db: db.execute(note, (self.account,)))

    async def durations(self) -> Sequence[float]:
        """How long this account's last lookups took, in seconds."""
        seconds = "SELECT seconds FROM durations WHERE account = ?"
        return await self._file.run(
            lambda db: [took for (took,) in db.execute(seconds, (self.account,))]
        )

    async def spent_today(self) -> int:
        """The account's credits that were spent since midnight UTC, or may still be."""
        return await self._file.run(lambda db: spending.today(db, self.account))

    async def counted(self) -> Mapping[str, str]:
        """How far each of the account's counted credits has come, by its key."""
        return await self._file.run(lambda db: spending.states(db, self.account))

    async def newest(self, limit: int) -> Sequence[Asked]:
        """The account's questions, the newest first."""
        where = "account = ? ORDER BY asked_at DESC LIMIT ?"
        return await self._file.run(lambda db: rows(db, where, self.account, limit))

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
            asked = product(accounts, profiles, EmailType)
            return _forget(db, (identity(*question) for question in asked))

        return await self._file.run(forget)

    async def clear(self) -> int:
        """Forget every question of every account; how many there were."""

        def clear(db: sqlite3.Connection) -> int:
            db.execute("DELETE FROM posts")
            return db.execute("DELETE FROM asked").rowcount

        return await self._file.run(clear)


def _note_end(db: sqlite3.Connection, account: str, ended: Ended) -> None:
    note = (
        "UPDATE asked SET status = ?, ended_at = ? WHERE identity = ? AND key = ?"
        " AND ended_at IS NULL"
    )
    values = (ended.status, time.time(), ended.asked.identity, ended.asked.key)
    if not db.execute(note, values).rowcount:
        return
    if ended.charged:
        spending.note(db, ended.asked.key, spending.CHARGED)
    else:
        spending.give_back(db, ended.asked.key)
    if ended.took is not None:
        _add_duration(db, account, ended.took)


def _forget(db: sqlite3.Connection, identities: Iterable[str]) -> int:
    one = "DELETE FROM asked WHERE identity = ?"
    count = sum(db.execute(one, (identity,)).rowcount for identity in identities)
    posts.drop_forgotten(db)
    return count


def _forget_older(db: sqlite3.Connection, account: str, than: float) -> None:
    db.execute("DELETE FROM asked WHERE account = ? AND asked_at < ?", (account, than))
    posts.drop_forgotten(db)


def _add_duration(db: sqlite3.Connection, account: str, seconds: float) -> None:
    db.execute("INSERT INTO durations (account, seconds) VALUES (?, ?)", (account, seconds))
    older = "SELECT id FROM durations WHERE account = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM durations WHERE id IN ({older})", (account, KEPT_DURATIONS))  # noqa: S608
