"""The POSTs whose outcome is not known yet: who sends each, since when, and with which body.

A table of its own in the memory's file. A row is removed as soon as the outcome is known.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

# Made where it is missing, without a new version of the file: a process of an older version that
# still runs ignores it, and would set a file of a newer version aside.
SCHEMA = """
CREATE TABLE IF NOT EXISTS posts (
    dedup_key TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    sender TEXT NOT NULL,
    since REAL NOT NULL,
    body TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingPost:
    """A POST on its way, or of unknown outcome."""

    dedup_key: str
    key: str
    sender: str
    """The name of the lock that its sender holds."""
    since: float
    """When it began to be sent, in seconds since the epoch."""
    body: str
    """Sealed."""


def find(db: sqlite3.Connection, dedup_key: str) -> PendingPost | None:
    """The open POST of this question."""
    query = "SELECT dedup_key, key, sender, since, body FROM posts WHERE dedup_key = ?"
    row = db.execute(query, (dedup_key,)).fetchone()
    return row and PendingPost(
        **dict(zip(("dedup_key", "key", "sender", "since", "body"), row, strict=True))
    )


def replace(db: sqlite3.Connection, dedup_key: str, post: PendingPost | None) -> None:
    """Make this the open POST of the question, or none."""
    db.execute("DELETE FROM posts WHERE dedup_key = ?", (dedup_key,))
    if post is not None:
        db.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?)", astuple(post))


def is_sent_by(db: sqlite3.Connection, post: PendingPost) -> bool:
    """Whether nobody else has begun to send it again meanwhile."""
    now = find(db, post.dedup_key)
    return now is not None and now.sender == post.sender


def delete_orphans(db: sqlite3.Connection) -> None:
    """Drop the POSTs of questions that are remembered no more."""
    known = "SELECT 1 FROM asked WHERE asked.dedup_key = posts.dedup_key"
    db.execute(f"DELETE FROM posts WHERE NOT EXISTS ({known})")  # noqa: S608 (our own text)
