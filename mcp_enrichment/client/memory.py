"""The memory that never pays twice: what was asked, kept by all processes of a user in one file.

It holds ids, ends and times; neither an address nor a name nor a key. A question is known by a hash
of the account, the profile and the type.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from mcp_enrichment.client.memory_file import MemoryFile
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


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
    type: EmailType
    key: str
    """The `Idempotency-Key` that its POST bore."""
    state: State = State.ASKING
    enrichment_id: str | None = None
    status: Status | None = None
    asked_at: float
    ended_at: float | None = None


def fingerprint(*parts: str) -> str:
    """A SHA-256 over the parts, in hex; no two different lists of parts give the same text."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


class Memory:
    """What one user's processes have asked."""

    def __init__(self, path: Path) -> None:
        self._file = MemoryFile(path)

    async def claim(self, asked: Asked, *, over: Asked | None) -> Asked | None:
        """Write a question down before it is asked.

        Returns None when this caller may ask, and the other's row where somebody was faster.
        `over` is the row that the caller has seen and replaces.
        """
        return await self._file.run(partial(_swap, asked.identity, asked, over))

    async def recall(self, identity: str) -> Asked | None:
        """What is known of a question."""
        return await self._file.run(partial(_one, "identity = ?", identity))

    async def by_id(self, enrichment_id: str) -> Asked | None:
        """What is known of a request, by the id that the service gave it."""
        return await self._file.run(partial(_one, "enrichment_id = ?", enrichment_id))

    async def note_accepted(self, identity: str, enrichment_id: str) -> None:
        """The service has answered with an id."""
        await self._change(
            "state = 'accepted', enrichment_id = ? WHERE identity = ?", enrichment_id, identity
        )

    async def note_unknown(self, identity: str) -> None:
        """Whether the POST has arrived is not known."""
        await self._change("state = 'unknown' WHERE identity = ? AND state = 'asking'", identity)

    async def note_end(self, enrichment_id: str, status: Status) -> None:
        """The request has ended; a second telling changes nothing."""
        await self._change(
            "status = ?, ended_at = ? WHERE enrichment_id = ? AND ended_at IS NULL",
            status.value,
            time.time(),
            enrichment_id,
        )

    async def put_back(self, asked: Asked, before: Asked | None) -> None:
        """The question was not asked after all: what was known of it before holds again.

        What somebody else has written since stays.
        """
        await self._file.run(partial(_swap, asked.identity, before, asked))

    async def honours_keys(self, account: str) -> bool:
        """Whether this account's server has shown that it honours `Idempotency-Key`."""
        found = "SELECT 1 FROM honours_keys WHERE account = ?"
        return await self._file.run(lambda db: db.execute(found, (account,)).fetchone() is not None)

    async def note_honours_keys(self, account: str) -> None:
        """This account's server has shown that it honours `Idempotency-Key`."""
        note = "INSERT OR IGNORE INTO honours_keys VALUES (?)"
        await self._file.run(lambda db: db.execute(note, (account,)))

    async def _change(self, what: str, *values: str | float) -> None:
        await self._file.run(lambda db: db.execute(f"UPDATE asked SET {what}", values))  # noqa: S608


def _swap(
    identity: str, new: Asked | None, over: Asked | None, db: sqlite3.Connection
) -> Asked | None:
    """Replace a row by another, or return the row that stands there instead."""
    found = _one("identity = ?", identity, db)
    if found != over:
        return found
    db.execute("DELETE FROM asked WHERE identity = ?", (identity,))
    if new is not None:
        db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(new))
    return None


def _one(where: str, value: str, db: sqlite3.Connection) -> Asked | None:
    row = db.execute(f"SELECT * FROM asked WHERE {where}", (value,)).fetchone()  # noqa: S608
    if row is None:
        return None
    identity, kind, key, state, enrichment_id, status, asked_at, ended_at = row
    return Asked(
        identity=identity,
        type=EmailType(kind),
        key=key,
        state=State(state),
        enrichment_id=enrichment_id,
        status=status and Status(status),
        asked_at=asked_at,
        ended_at=ended_at,
    )
