"""Statements on API keys. Of a key only its hash is stored, and the part that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select, update

from mcp_enrichment.service.db.schema import api_keys, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key as it is kept. Times are seconds since the epoch."""

    id: str
    """The part of the key that names it, shown in lists."""
    team_id: int
    team: str
    hash: str
    """SHA-256 of the whole key, in hex."""
    created_at: float
    revoked_at: float | None


def add(connection: Connection, *, key_id: str, team_id: int, key_hash: str, at: float) -> None:
    """Store a new key."""
    row = {"id": key_id, "team_id": team_id, "hash": key_hash, "created_at": at}
    connection.execute(insert(api_keys).values(row))


def find_valid(connection: Connection, key_id: str) -> tuple[str | None, int | None]:
    """The hash and the team of the valid key of this name, both None where there is none.

    It is one row in any case: that a name exists is not to be seen by the time it takes.
    """
    stored, team_id = connection.execute(_VALID, {"id": key_id}).one()
    return stored, team_id


def list_all(connection: Connection) -> Sequence[ApiKey]:
    """All keys, the oldest first."""
    rows = connection.execute(_KEYS.order_by(api_keys.c.created_at, api_keys.c.id))
    return [ApiKey(**row._mapping) for row in rows]


def revoke(connection: Connection, key_id: str, *, at: float) -> bool:
    """End a key; False where there is none of that name, or it has ended already."""
    live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    return connection.execute(update(api_keys).where(live).values(revoked_at=at)).rowcount == 1


# Made once, as every request says it.
_VALID = select(func.max(api_keys.c.hash), func.max(api_keys.c.team_id)).where(
    api_keys.c.id == bindparam("id"), api_keys.c.revoked_at.is_(None)
)
_KEYS = select(
    api_keys.c.id,
    api_keys.c.team_id,
    teams.c.name.label("team"),
    api_keys.c.hash,
    api_keys.c.created_at,
    api_keys.c.revoked_at,
).join(teams, teams.c.id == api_keys.c.team_id)
