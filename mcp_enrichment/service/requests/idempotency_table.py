"""SQL of idempotency keys: the request that a key refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, tuple_

from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import idempotency_keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

_GET = Prepared(
    select(
        idempotency_keys.c.body_hash, idempotency_keys.c.request_id, idempotency_keys.c.created_at
    ).where(
        idempotency_keys.c.team_id == bindparam("team_id"),
        idempotency_keys.c.key == bindparam("key"),
    )
)
_DELETE_EXPIRED = Prepared(
    delete(idempotency_keys).where(
        idempotency_keys.c.team_id == bindparam("team_id"),
        idempotency_keys.c.key == bindparam("key"),
        idempotency_keys.c.created_at < bindparam("before"),
    )
)
_ADD = Prepared(insert(idempotency_keys), idempotency_keys.c.keys())


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """A key that was used before."""

    body_hash: str
    request_id: str


def delete_older(connection: Connection, before: float, *, limit: int) -> int:
    """Delete up to so many keys that were first used before this time; their number."""
    keys = idempotency_keys.c
    oldest = select(keys.team_id, keys.key).where(keys.created_at < before)
    # Rows that another process is deleting are skipped.
    oldest = oldest.order_by(keys.created_at).limit(limit).with_for_update(skip_locked=True)
    found = [tuple(row) for row in connection.execute(oldest)]
    if not found:
        return 0
    these = tuple_(keys.team_id, keys.key).in_(found) & (keys.created_at < before)
    return connection.execute(delete(idempotency_keys).where(these)).rowcount


def get(connection: Connection, team_id: int, key: str, *, since: float) -> StoredKey | None:
    """The use of the team's key since this time. An older one is deleted: the key may be used
    again."""
    row = _GET.first(connection, {"team_id": team_id, "key": key})
    if row is None:
        return None
    body_hash, request_id, created_at = row
    if created_at < since:
        _DELETE_EXPIRED.change(connection, {"team_id": team_id, "key": key, "before": since})
        return None
    return StoredKey(body_hash=body_hash, request_id=request_id)


def add(
    connection: Connection, team_id: int, key: str, *, body_hash: str, request_id: str, at: float
) -> None:
    """Store a key that is used for the first time."""
    row = {
        "team_id": team_id,
        "key": key,
        "body_hash": body_hash,
        "request_id": request_id,
        "created_at": at,
    }
    _ADD.change(connection, row)
