"""The rows of one submitted request in the state file, and the SQL that reads and replaces them."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import closing
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    import sqlite3

    from mcp_enrichment.contract.models import EnrichmentRequest

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


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyCipher:
    """Encrypts the body of a POST of one account until its outcome is known.

    A repeated POST must have the same body. The caller that repeats it knows the profile and the
    type. The other two fields may hold an email or a secret, so they are encrypted. The encryption
    key is derived from the account's API key and the profile, and is not stored. The embedded
    service has no API key: there the encryption key is derived from the profile, the type and the
    name of the database. All can be guessed, so this encryption keeps the fields from a casual
    reader only.
    """

    secret: str

    def encrypt(self, body: EnrichmentRequest) -> str:
        """The `callback_url` and the `external_id`, encrypted; an empty text without them."""
        fields = {"callback_url": body.callback_url, "external_id": body.external_id}
        if not any(fields.values()):
            return ""
        from cryptography.fernet import Fernet  # noqa: PLC0415 (it takes 50 ms to import)

        return Fernet(self._key(body)).encrypt(json.dumps(fields).encode()).decode()

    def decrypt(self, saved: str, like: EnrichmentRequest) -> EnrichmentRequest | None:
        """The body that was sent about the profile and type of `like`; None if it is damaged."""
        if not saved:
            return like.model_copy(update={"callback_url": None, "external_id": None})
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

        try:
            fields = json.loads(Fernet(self._key(like)).decrypt(saved))
        except InvalidToken:
            return None
        return like.model_copy(update=fields)

    def _key(self, body: EnrichmentRequest) -> bytes:
        derived_from = json.dumps([self.secret, body.linkedin_url, body.type])
        return base64.urlsafe_b64encode(hashlib.sha256(derived_from.encode()).digest())


def dedup_key(account: str, profile: str, kind: EmailType) -> str:
    """The key of a request: the same account, profile and type give the same key."""
    return sha256_of(account, profile, kind)


def read_stored(db: sqlite3.Connection, dedup_key: str) -> StoredRequest:
    """Read the rows of this request."""
    record = next(iter(find_all(db, "dedup_key = ?", dedup_key)), None)
    posts = _select(db, "SELECT * FROM pending_posts WHERE dedup_key = ?", dedup_key)
    its_posts = (PendingPost(**row) for row in posts if record and row["key"] == record.key)
    return StoredRequest(record=record, post=next(its_posts, None))


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


def delete_orphan_posts(db: sqlite3.Connection) -> None:
    """Delete the pending POSTs whose request is deleted."""
    db.execute("DELETE FROM pending_posts WHERE dedup_key NOT IN (SELECT dedup_key FROM requests)")


def find_all(db: sqlite3.Connection, where: str, *values: str | int) -> list[RequestRecord]:
    """The requests that meet this condition."""
    rows = _select(db, f"SELECT * FROM requests WHERE {where}", *values)  # noqa: S608 (fixed text)
    for row in rows:
        row["type"], row["state"] = EmailType(row["type"]), SubmitState(row["state"])
        row["status"] = row["status"] and Status(row["status"])
    return [RequestRecord(**row) for row in rows]


def _select(db: sqlite3.Connection, query: str, *values: str | int) -> list[dict[str, Any]]:
    with closing(db.execute(query, values)) as cursor:  # else a failure keeps the file locked
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
