"""API keys: created once, shown once, and verified by their hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select, update

from mcp_enrichment.service.accounts.teams import team_id_of
from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import api_keys, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database

_VALID = Prepared(
    select(func.max(api_keys.c.hash), func.max(api_keys.c.team_id)).where(
        api_keys.c.id == bindparam("id"), api_keys.c.revoked_at.is_(None)
    )
)
"""One row in any case, so that the time does not reveal whether an id exists."""
_KEYS = select(
    api_keys.c.id,
    api_keys.c.team_id,
    teams.c.name.label("team"),
    api_keys.c.hash,
    api_keys.c.created_at,
    api_keys.c.revoked_at,
).outerjoin(teams, teams.c.id == api_keys.c.team_id)
PREFIX = "mcpe"
"""The prefix of every key, by which secret scanners find leaked ones."""
ID_BYTES = 6
SECRET_BYTES = 32
"""256 random bits cannot be guessed: so a plain SHA-256 is a sufficient hash."""
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}")
_NO_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A stored key. Times are seconds since the epoch."""

    id: str
    """The public part of the key, shown in lists."""
    team_id: int | None
    """None for the key of an operator."""
    team: str | None
    hash: str
    """SHA-256 of the whole key, in hex."""
    created_at: float
    revoked_at: float | None


def list_all(connection: Connection) -> Sequence[ApiKey]:
    """All keys, the oldest first."""
    rows = connection.execute(_KEYS.order_by(api_keys.c.created_at, api_keys.c.id))
    return [ApiKey(**row._mapping) for row in rows]


def revoke(connection: Connection, key_id: str, *, at: float) -> bool:
    """Revoke a key; False if there is none with this id, or it is revoked."""
    live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    return connection.execute(update(api_keys).where(live).values(revoked_at=at)).rowcount == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A new key: the only time that all of it is known."""

    id: str
    key: str


def create(connection: Connection, team: str | None, *, at: float) -> NewKey:
    """Create a key for the team of this name; None: for an operator, whose key opens the console
    and acts for no team. Raises `InvalidArguments` if there is no such team."""
    team_id = None if team is None else team_id_of(connection, team)
    key_id = secrets.token_hex(ID_BYTES)
    key = f"{PREFIX}_{key_id}_{secrets.token_hex(SECRET_BYTES)}"
    row = {"id": key_id, "team_id": team_id, "hash": _hash(key), "created_at": at}
    connection.execute(insert(api_keys).values(row))
    return NewKey(id=key_id, key=key)


async def authenticate(database: Database, key: str) -> int | None:
    """`team_of` in a transaction of its own. A malformed key needs none."""
    return await database.read_few(lambda c: team_of(c, key)) if key_id_of(key) else None


def team_of(connection: Connection, key: str) -> int | None:
    """The team of a key; None for an unknown, revoked or malformed key, and for an operator's."""
    return _verified(connection, key)[1]


def is_operators(connection: Connection, key: str) -> bool:
    """Whether it is a valid key of an operator."""
    return _verified(connection, key) == (True, None)


def is_live_operator(connection: Connection, key_id: str) -> bool:
    """Whether an operator's key with this id exists and is not revoked."""
    [(stored, team_id)] = _VALID.rows(connection, {"id": key_id})
    return stored is not None and team_id is None


def _verified(connection: Connection, key: str) -> tuple[bool, int | None]:
    """Whether the key is valid, and its team."""
    [(stored, team_id)] = _VALID.rows(connection, {"id": key_id_of(key)})
    # An unknown key is compared, too, so that both take the same time.
    is_valid = hmac.compare_digest(stored or _NO_HASH, _hash(key))
    return is_valid, team_id if is_valid else None


def key_id_of(key: str) -> str:
    """The public part of a key; empty for a malformed key."""
    named = _KEY.fullmatch(key)
    return named[1] if named else ""


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
