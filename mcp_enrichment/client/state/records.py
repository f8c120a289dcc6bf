"""A remembered question: its row in the memory's file, and the POST that it may still have open."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mcp_enrichment.client.state import pending_posts
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3

    from mcp_enrichment.client.state.pending_posts import PendingPost


class SubmitState(StrEnum):
    """How far a question has come."""

    ASKING = "asking"
    """Written down; the POST may be on its way."""
    ACCEPTED = "accepted"
    """The service has given it an id."""
    UNKNOWN = "unknown"
    """The POST may have arrived; no answer came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRecord:
    """One remembered question. Times are seconds since the epoch."""

    dedup_key: str
    account: str
    type: EmailType
    key: str
    """The `Idempotency-Key` that its POST bore."""
    reference: str | None = None
    """A hash of the caller's `external_id`, by which an answer may be recognised."""
    state: SubmitState = SubmitState.ASKING
    enrichment_id: str | None = None
    status: Status | None = None
    asked_at: float
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRequest:
    """All that is known of a question at one moment."""

    record: RequestRecord | None = None
    post: PendingPost | None = None
    """Its POST, where the outcome of it is not known."""
    is_being_sent: bool = False
    """The process that sends it lives."""


def hash_parts(*parts: str) -> str:
    """A SHA-256 over the parts, in hex; no two different lists of parts give the same text."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def dedup_key(account: str, profile: str, kind: EmailType) -> str:
    """The hash under which a question is remembered."""
    return hash_parts(account, profile, kind)


def read_stored(db: sqlite3.Connection, dedup_key: str) -> StoredRequest:
    """All that is known of this question now."""
    record, post = find_one(db, "dedup_key = ?", dedup_key), pending_posts.find(db, dedup_key)
    is_its = post is not None and record is not None and post.key == record.key
    return StoredRequest(record=record, post=post if is_its else None)


def compare_and_set(
    db: sqlite3.Connection, new: RequestRecord, post: PendingPost, expected: StoredRequest
) -> bool:
    """Replace what is known of a question; False where it is not what it was."""
    if read_stored(db, new.dedup_key) != replace(expected, is_being_sent=False):
        return False
    replace_row(db, new.dedup_key, new, post)
    return True


def replace_row(
    db: sqlite3.Connection, dedup_key: str, new: RequestRecord | None, post: PendingPost | None
) -> None:
    """Make this all that is known of the question."""
    db.execute("DELETE FROM asked WHERE dedup_key = ?", (dedup_key,))
    if new is not None:
        db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(new))
    pending_posts.replace(db, dedup_key, post)


def find_one(db: sqlite3.Connection, where: str, *values: str) -> RequestRecord | None:
    """The first row for which this condition holds."""
    return next(iter(find_all(db, where, *values)), None)


def find_all(db: sqlite3.Connection, where: str, *values: str | int) -> list[RequestRecord]:
    """The rows for which this condition holds."""
    cursor = db.execute(f"SELECT * FROM asked WHERE {where}", values)  # noqa: S608 (our own text)
    names = [column[0] for column in cursor.description]
    return [_asked(**dict(zip(names, row, strict=True))) for row in cursor]


def _asked(
    *,
    type: str,  # noqa: A002
    state: str,
    status: str | None,
    **rest: str | float | None,
) -> RequestRecord:
    typed = {
        "type": EmailType(type),
        "state": SubmitState(state),
        "status": status and Status(status),
    }
    return RequestRecord(**typed, **rest)  # type: ignore[arg-type]  # STRICT columns, of the fields' types
