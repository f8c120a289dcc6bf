"""API keys: made once, shown once, and recognised by their hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.accounts import api_key_table as store
from mcp_enrichment.service.accounts.teams import team_id_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database

PREFIX = "mcpe"
"""What every key begins with, so that scanners for leaked secrets can know one."""
ID_BYTES = 6
SECRET_BYTES = 32
"""256 random bits: a plain SHA-256 is hash enough for what nobody can guess."""

_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}")
_NO_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key that was just made: the only time that it is seen whole."""

    id: str
    key: str


def create(connection: Connection, team: str, *, at: float) -> NewKey:
    """Make a key for the team of this name. Raises `InvalidArguments` where there is none."""
    team_id = team_id_of(connection, team)
    key_id = secrets.token_hex(ID_BYTES)
    key = f"{PREFIX}_{key_id}_{secrets.token_hex(SECRET_BYTES)}"
    store.add(connection, key_id=key_id, team_id=team_id, key_hash=_hash(key), at=at)
    return NewKey(id=key_id, key=key)


async def authenticate(database: Database, key: str) -> int | None:
    """The team that a key belongs to; None for a key that is unknown, revoked or no key at all."""
    named = _KEY.fullmatch(key)
    if named is None:
        return None
    stored, team_id = await database.read(lambda connection: store.find_valid(connection, named[1]))
    # Compared also where there is nothing to compare with: both ways take the same time.
    return team_id if hmac.compare_digest(stored or _NO_HASH, _hash(key)) else None


def key_id_of(key: str) -> str:
    """The part of a key that names it; empty for what is no key."""
    named = _KEY.fullmatch(key)
    return named[1] if named else ""


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
