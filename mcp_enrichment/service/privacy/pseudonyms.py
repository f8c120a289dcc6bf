"""Pseudonyms of people: keyed hashes, which can be compared and reveal no name.

With the key, hashes could be tried against every profile. So the key is not stored in the database,
except on Postgres if none is configured.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from unicodedata import normalize

import idna
from sqlalchemy import delete, insert, select

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db.schema import audit_log, privacy_key, suppressions

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Pseudonyms:
    """Computes the hashes with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_profile(self, profile: str) -> str:
        return self._hash(f"profile {profile}")

    def of_address(self, address: str) -> str:
        """The hash of the address, in any spelling."""
        return self._hash(f"address {normalize_address(address)}")

    @property
    def fingerprint(self) -> str:
        """Identifies the key."""
        return self._hash("fingerprint")

    def _hash(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def normalize_address(address: str) -> str:
    """The normal form of an address: lower case, NFC, its domain in ASCII where possible.

    The local part is in lower case too: in practice no two people's addresses differ only in case.
    """
    local, _, domain = normalize("NFC", address.strip()).lower().rpartition("@")
    try:
        host = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        host = domain
    return f"{local}@{host}"


def pin_key(connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Bind the database to one key. Raises `StorageFailed` if it has hashes of another one."""
    if require_key(connection, pseudonyms):
        return
    connection.execute(delete(privacy_key))
    connection.execute(insert(privacy_key).values(fingerprint=pseudonyms.fingerprint))


def is_bound(connection: Connection) -> bool:
    """Whether the database has hashes, which only the key that made them can match."""
    known = connection.execute(select(privacy_key.c.fingerprint)).scalar()
    return bool(known) and _has_hashes(connection)


def require_key(connection: Connection, pseudonyms: Pseudonyms) -> bool:
    """Whether the database is bound to this key. Raises `StorageFailed` if it has hashes of
    another one."""
    known = connection.execute(select(privacy_key.c.fingerprint)).scalar()
    if known and known != pseudonyms.fingerprint and _has_hashes(connection):
        raise StorageFailed(StorageFault.OTHER_KEY)
    return bool(known == pseudonyms.fingerprint)


def stored_key(connection: Connection) -> bytes:
    """The key that the database stores. Raises `StorageFailed` if it is bound to another one."""
    if key := connection.execute(select(privacy_key.c.key)).scalar():
        return str(key).encode()
    raise StorageFailed(StorageFault.OTHER_KEY)


def store_new_key(connection: Connection) -> None:
    """Store a new key in the database, unless it is bound to one."""
    if connection.execute(select(privacy_key)).first() is None:
        key = secrets.token_hex(32)
        fingerprint = Pseudonyms(key.encode()).fingerprint
        connection.execute(insert(privacy_key).values(fingerprint=fingerprint, key=key))


def _has_hashes(connection: Connection) -> bool:
    kept = (
        select(table.c.pseudonym).where(table.c.pseudonym.is_not(None))
        for table in (suppressions, audit_log)
    )
    return any(connection.execute(one.limit(1)).first() for one in kept)
