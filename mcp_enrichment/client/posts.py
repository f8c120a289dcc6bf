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
    identity TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    sender TEXT NOT NULL,
    since REAL NOT NULL,
    body TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A POST on its way, or of unknown outcome."""

    identity: str
    key: str
    sender: str
    """The name of the lock that its sender holds."""
    since: float
    """When it began to be sent, in seconds since the epoch."""
    body: str
    """Sealed."""


def of(db: sqlite3.Connection, identity: str) -> Post | None:
    """The open POST of this question."""
    query = "SELECT identity, key, sender, since, body FROM posts WHERE identity = ?"
    row = db.execute(query, (identity,)).fetchone()
    return row and Post(
        **dict(zip(("identity", "key", "sender", "since", "body"), row, strict=True))
    )


def put(db: sqlite3.Connection, identity: str, post: Post | None) -> None:
    """Make this the open POST of the question, or none."""
    db.execute("DELETE FROM posts WHERE identity = ?", (identity,))
    if post is not None:
        db.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?)", astuple(post))


def is_sent_by(db: sqlite3.Connection, post: Post) -> bool:
    """Whether nobody else has begun to send it again meanwhile."""
    now = of(db, post.identity)
    return now is not None and now.sender == post.sender


def drop_forgotten(db: sqlite3.Connection) -> None:
    """Drop the POSTs of questions that are remembered no more."""
    known = "SELECT 1 FROM asked WHERE asked.identity = posts.identity"
    db.execute(f"DELETE FROM posts WHERE NOT EXISTS ({known})")  # noqa: S608 (our own text)
