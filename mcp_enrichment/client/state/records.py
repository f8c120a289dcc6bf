"""The rows of one submitted request in the state file, and the SQL that reads and replaces them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3

TABLES = """
CREATE TABLE requests (
    dedup_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    reference TEXT,
    state TEXT NOT NULL,
    enrichment_id TEXT,
    status TEXT,
    asked_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE INDEX requests_by_id ON requests (enrichment_id);
CREATE INDEX requests_by_age ON requests (account, asked_at);
CREATE TABLE pending_posts (
    dedup_key TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    sender TEXT NOT NULL,
    since REAL NOT NULL,
    body TEXT NOT NULL
) STRICT;
"""


class SubmitState(StrEnum):
    """The state of the POST of a request. `mcp-enrichment memory show` prints the values."""

    ASKING = "asking"
    """Saved before the POST is sent."""
    ACCEPTED = "accepted"
    """The service has returned an id."""
    UNKNOWN = "unknown"
    """The POST may have arrived. No response came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRecord:
    """A row of `requests`. Times are in seconds since the epoch."""

    dedup_key: str
    account: str
    type: EmailType
    key: str
    """The `Idempotency-Key` of the POST."""
    reference: str | None = None
    """The hash of the caller's `external_id`."""
    state: SubmitState = SubmitState.ASKING
    enrichment_id: str | None = None
    status: Status | None = None
    """Set once the request is final."""
    asked_at: float
    ended_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingPost:
    """A row of `pending_posts`: a POST without a known outcome."""

    dedup_key: str
    key: str
    sender: str
    """The name of the lock that its sender holds."""
    since: float
    """Seconds since the epoch."""
    body: str
    """Encrypted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRequest:
    """The rows of one request at one moment."""

    record: RequestRecord | None = None
    post: PendingPost | None = None
    is_being_sent: bool = False
    """The process that sends the POST is alive."""


def dedup_key(account: str, profile: str, kind: EmailType) -> str:
    """The key of a request: the same account, profile and type give the same key."""
    return sha256_of(account, profile, kind)


def read_stored(db: sqlite3.Connection, dedup_key: str) -> StoredRequest:
    """Read the rows of this request."""
    record, post = find_one(db, "dedup_key = ?", dedup_key), find_post(db, dedup_key)
    is_its = post is not None and record is not None and post.key == record.key
    return StoredRequest(record=record, post=post if is_its else None)


def replace_rows(
    db: sqlite3.Connection, dedup_key: str, new: RequestRecord | None, post: PendingPost | None
) -> None:
    """Replace both rows of a request; None deletes one."""
    for table, row in (("requests", new), ("pending_posts", post)):
        if row is None:
            db.execute(f"DELETE FROM {table} WHERE dedup_key = ?", (dedup_key,))  # noqa: S608 (fixed)
        else:
            marks = ", ".join("?" * len(values := astuple(row)))
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608 (fixed)


def delete_post(db: sqlite3.Connection, dedup_key: str) -> None:
    """Delete the pending POST: its outcome is known."""
    db.execute("DELETE FROM pending_posts WHERE dedup_key = ?", (dedup_key,))


def delete_orphan_posts(db: sqlite3.Connection) -> None:
    """Delete the pending POSTs whose request is deleted."""
    db.execute("DELETE FROM pending_posts WHERE dedup_key NOT IN (SELECT dedup_key FROM requests)")


def find_post(db: sqlite3.Connection, dedup_key: str) -> PendingPost | None:
    """The pending POST of this request."""
    found = db.execute("SELECT * FROM pending_posts WHERE dedup_key = ?", (dedup_key,))
    return next((PendingPost(**row) for row in _as_dicts(found)), None)


def find_one(db: sqlite3.Connection, where: str, *values: str) -> RequestRecord | None:
    """The first request that meets this condition."""
    return next(iter(find_all(db, where, *values)), None)


def find_all(db: sqlite3.Connection, where: str, *values: str | int) -> list[RequestRecord]:
    """The requests that meet this condition."""
    found = db.execute(f"SELECT * FROM requests WHERE {where}", values)  # noqa: S608 (fixed text)
    return [_record(row) for row in _as_dicts(found)]


def _as_dicts(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    with closing(cursor):  # one that fails half-read would keep the file locked
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _record(row: dict[str, Any]) -> RequestRecord:
    status = row["status"] and Status(row["status"])
    typed = {"type": EmailType(row["type"]), "state": SubmitState(row["state"]), "status": status}
    return RequestRecord(**row | typed)
