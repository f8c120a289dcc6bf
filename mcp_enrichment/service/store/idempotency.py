"""Statements on idempotency keys: which request a key stands for, for as long as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from mcp_enrichment.service.store.schema import idempotency_keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Made once, as every request says them.
_DROP_OLDER = delete(idempotency_keys).where(idempotency_keys.c.created_at < bindparam("than"))
_GET = select(idempotency_keys.c.body_hash, idempotency_keys.c.request_id).where(
    idempotency_keys.c.team_id == bindparam("team_id"), idempotency_keys.c.key == bindparam("key")
)
_PUT = insert(idempotency_keys)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A key that was used."""

    body_hash: str
    request_id: str


def drop_older(connection: Connection, than: float) -> None:
    """Forget the keys that were first used before this time."""
    connection.execute(_DROP_OLDER, {"than": than})


def get(connection: Connection, team_id: int, key: str) -> Seen | None:
    """What the team's key was used for."""
    row = connection.execute(_GET, {"team_id": team_id, "key": key}).first()
    return Seen(**row._mapping) if row else None


def put(
    connection: Connection, team_id: int, key: str, *, body_hash: str, request_id: str, at: float
) -> None:
    """Keep a key that is used for the first time."""
    row = {
        "team_id": team_id,
        "key": key,
        "body_hash": body_hash,
        "request_id": request_id,
        "created_at": at,
    }
    connection.execute(_PUT, row)
