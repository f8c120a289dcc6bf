"""The memory that never pays twice: what was asked, kept by all processes of a user in one file.

It holds ids, ends and times; neither an address nor a name nor a key. A question is known by a hash
of the account, the profile and the type.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import astuple, dataclass
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

from mcp_enrichment.client import spending
from mcp_enrichment.client.memory_file import MemoryFile
from mcp_enrichment.client.schedule import KEPT_DURATIONS
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mcp_enrichment.client.spending import Budget, Seen

KEEP = 365 * spending.DAY
"""Seconds for which a question is remembered."""


class State(StrEnum):
    """How far a question has come."""

    ASKING = "asking"
    """Written down; the POST may be on its way."""
    ACCEPTED = "accepted"
    """The service has given it an id."""
    UNKNOWN = "unknown"
    """The POST may have arrived; no answer came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One remembered question. Times are seconds since the epoch."""

    identity: str
    account: str
    type: EmailType
    key: str
    """The `Idempotency-Key` that its POST bore."""
    reference: str | None = None
    """A hash of the caller's `external_id`, by which an answer may be recognised."""
    state: State = State.ASKING
    enrichment_id: str | None = None
    status: Status | None = None
    asked_at: float
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a question ended."""

    asked: Asked
    status: Status
    charged: bool
    took: float | None
    """Seconds, where its end was seen as it came."""


def fingerprint(*parts: str) -> str:
    """A SHA-256 over the parts, in hex; no two different lists of parts give the same text."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(account: str, profile: str, kind: EmailType) -> str:
    """The hash under which a question is remembered."""
    return fingerprint(account, profile, kind)


class Memory:
    """What one user's processes have asked on one account."""

    def __init__(self, path: Path, account: str, *, keep: float = KEEP) -> None:
        self.account = account
        self._file = MemoryFile(path)
        self._keep = keep

    async def claim(
        self, asked: Asked, *, over: Asked | None, budget: Budget, seen: Seen | None
    ) -> bool:
        """Write a question down, and count its credit, before it is asked.

        False where somebody was faster: `over` is the row that the caller has seen and replaces.
        Raises `BudgetExceeded`, and then nothing is written.
        """

        def claim(db: sqlite3.Connection) -> bool:
            _forget_older(db, self.account, time.time() - self._keep)
            if not _swap(db, asked.identity, asked, over):
                return False
            spending.count(db, self.account, asked.key, budget, seen)
            return True

        return await self._file.run(claim)

    async def recall(self, identity: str) -> Asked | None:
        """What is known of a question that is not too old to be remembered."""

        def find(db: sqlite3.Connection) -> Asked | None:
            found = _first(db, "identity = ?", identity)
            return found if found and found.asked_at >= time.time() - self._keep else None

        return await self._file.run(find)

    async def by_ids(self, ids: Iterable[str]) -> Mapping[str, Asked]:
        """What is known of the requests with these ids, as the service has given them."""

        def find(db: sqlite3.Connection) -> dict[str, Asked]:
            mine = "enrichment_id = ? AND account = ?"
            return {i: row for i in set(ids) if (row := _first(db, mine, i, self.account))}

        return await self._file.run(find)

    async def note_accepted(self, asked: Asked, enrichment_id: str) -> None:
        """The service has answered with an id."""

        def note(db: sqlite3.Connection) -> None:
            accepted = "UPDATE asked SET state = ?, enrichment_id = ? WHERE identity = ?"
            db.execute(accepted, (State.ACCEPTED, enrichment_id, asked.identity))
            spending.note(db, asked.key, spending.ACCEPTED)

        await self._file.run(note)

    async def note_unknown(self, asked: Asked) -> None:
        """Whether the POST has arrived is not known."""
        unknown = "UPDATE asked SET state = ? WHERE identity = ? AND state = ?"
        values = (State.UNKNOWN, asked.identity, State.ASKING)
        await self._file.run(lambda db: db.execute(unknown, values))

    async def note_ends(self, ends: Iterable[Ended]) -> None:
        """These requests have ended; told again, nothing changes."""

        def note(db: sqlite3.Connection) -> None:
            for ended in ends:
                _note_end(db, self.account, ended)

        await self._file.run(note)

    async def put_back(self, asked: Asked, before: Asked | None) -> None:
        """The question was not asked after all: what was known of it before holds again.

        What somebody else has written since stays.
        """

        def put_back(db: sqlite3.Connection) -> None:
            _swap(db, asked.identity, before, asked)
            if before is None or before.key != asked.key:
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
        return await self._file.run(lambda db: _rows(db, where, self.account, limit))

    async def forget(self, identities: Iterable[str]) -> int:
        """Forget these questions; how many were known. What was spent on them stays counted."""

        def forget(db: sqlite3.Connection) -> int:
            one = "DELETE FROM asked WHERE identity = ?"
            return sum(db.execute(one, (identity,)).rowcount for identity in identities)

        return await self._file.run(forget)

    async def forget_profiles(self, profiles: Iterable[str]) -> int:
        """Forget what was asked about these canonical profiles on whatever account; how many
        questions were known."""

        def forget(db: sqlite3.Connection) -> int:
            accounts = [one for (one,) in db.execute("SELECT DISTINCT account FROM asked")]
            asked = product(accounts, profiles, EmailType)
            one = "DELETE FROM asked WHERE identity = ?"
            return sum(db.execute(one, (identity(*question),)).rowcount for question in asked)

        return await self._file.run(forget)

    async def clear(self) -> int:
        """Forget every question of every account; how many there were."""
        return await self._file.run(lambda db: db.execute("DELETE FROM asked").rowcount)


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


def _swap(db: sqlite3.Connection, identity: str, new: Asked | None, over: Asked | None) -> bool:
    """Replace a row by another; False where a different one stands there."""
    if _first(db, "identity = ?", identity) != over:
        return False
    db.execute("DELETE FROM asked WHERE identity = ?", (identity,))
    if new is not None:
        db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(new))
    return True


def _first(db: sqlite3.Connection, where: str, *values: str) -> Asked | None:
    return next(iter(_rows(db, where, *values)), None)


def _rows(db: sqlite3.Connection, where: str, *values: str | int) -> list[Asked]:
    cursor = db.execute(f"SELECT * FROM asked WHERE {where}", values)  # noqa: S608 (our own text)
    names = [column[0] for column in cursor.description]
    return [_asked(**dict(zip(names, row, strict=True))) for row in cursor]


def _asked(*, type: str, state: str, status: str | None, **rest: str | float | None) -> Asked:  # noqa: A002
    typed = {"type": EmailType(type), "state": State(state), "status": status and Status(status)}
    return Asked(**typed, **rest)  # type: ignore[arg-type]  # STRICT columns, of the fields' types


def _forget_older(db: sqlite3.Connection, account: str, than: float) -> None:
    db.execute("DELETE FROM asked WHERE account = ? AND asked_at < ?", (account, than))


def _add_duration(db: sqlite3.Connection, account: str, seconds: float) -> None:
    db.execute("INSERT INTO durations (account, seconds) VALUES (?, ?)", (account, seconds))
    older = "SELECT id FROM durations WHERE account = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM durations WHERE id IN ({older})", (account, KEPT_DURATIONS))  # noqa: S608
