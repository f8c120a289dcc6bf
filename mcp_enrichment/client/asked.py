"""A remembered question: its row in the memory's file, and the POST that it may still have open."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mcp_enrichment.client import posts
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3

    from mcp_enrichment.client.posts import Post


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
class Known:
    """All that is known of a question at one moment."""

    asked: Asked | None = None
    post: Post | None = None
    """Its POST, where the outcome of it is not known."""
    is_being_sent: bool = False
    """The process that sends it lives."""


def fingerprint(*parts: str) -> str:
    """A SHA-256 over the parts, in hex; no two different lists of parts give the same text."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(account: str, profile: str, kind: EmailType) -> str:
    """The hash under which a question is remembered."""
    return fingerprint(account, profile, kind)


def known_of(db: sqlite3.Connection, identity: str) -> Known:
    """All that is known of this question now."""
    asked, post = first(db, "identity = ?", identity), posts.of(db, identity)
    is_its = post is not None and asked is not None and post.key == asked.key
    return Known(asked=asked, post=post if is_its else None)


def swap(db: sqlite3.Connection, new: Asked, post: Post, over: Known) -> bool:
    """Replace what is known of a question; False where it is not what it was."""
    if known_of(db, new.identity) != replace(over, is_being_sent=False):
        return False
    write(db, new.identity, new, post)
    return True


def write(db: sqlite3.Connection, identity: str, new: Asked | None, post: Post | None) -> None:
    """Make this all that is known of the question."""
    db.execute("DELETE FROM asked WHERE identity = ?", (identity,))
    if new is not None:
        db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(new))
    posts.put(db, identity, post)


def first(db: sqlite3.Connection, where: str, *values: str) -> Asked | None:
    """The first row for which this condition holds."""
    return next(iter(rows(db, where, *values)), None)


def rows(db: sqlite3.Connection, where: str, *values: str | int) -> list[Asked]:
    """The rows for which this condition holds."""
    cursor = db.execute(f"SELECT * FROM asked WHERE {where}", values)  # noqa: S608 (our own text)
    names = [column[0] for column in cursor.description]
    return [_asked(**dict(zip(names, row, strict=True))) for row in cursor]


def _asked(*, type: str, state: str, status: str | None, **rest: str | float | None) -> Asked:  # noqa: A002
    typed = {"type": EmailType(type), "state": State(state), "status": status and Status(status)}
    return Asked(**typed, **rest)  # type: ignore[arg-type]  # STRICT columns, of the fields' types
