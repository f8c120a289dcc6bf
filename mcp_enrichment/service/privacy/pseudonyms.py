"""People as keyed hashes: they can be compared, and give away no name.

With the key a list of hashes can be tried against every profile there is; so it is not kept in the
database, and a copy of that alone tells nobody. On Postgres it is, unless one is set.
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
    """Makes the hashes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_profile(self, profile: str) -> str:
        """Of the profile with this canonical URL."""
        return self._hash(f"profile {profile}")

    def of_address(self, address: str) -> str:
        """Of the address, however it is written."""
        return self._hash(f"address {normalize_address(address)}")

    @property
    def fingerprint(self) -> str:
        """Tells this key from another one."""
        return self._hash("fingerprint")

    def _hash(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def normalize_address(address: str) -> str:
    """The one spelling of an address: lower case, NFC, its domain in ASCII where that can be.

    The part before the @ is lowered too: that two people differ by its case alone is unheard of.
    """
    local, _, domain = normalize("NFC", address.strip()).lower().rpartition("@")
    try:
        host = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        host = domain
    return f"{local}@{host}"


def pin_key(connection: Connection, subjects: Pseudonyms) -> None:
    """Hold the database to one key. Raises `StorageFailed` where another one has made hashes."""
    if require_key(connection, subjects):
        return
    connection.execute(delete(privacy_key))
    connection.execute(insert(privacy_key).values(fingerprint=subjects.fingerprint))


def require_key(connection: Connection, subjects: Pseudonyms) -> bool:
    """Whether the database is held to this key. Raises `StorageFailed` where another one has made
    hashes."""
    known = connection.execute(select(privacy_key.c.fingerprint)).scalar()
    if known and known != subjects.fingerprint and _has_hashes(connection):
        raise StorageFailed(StorageFault.OTHER_KEY)
    return bool(known == subjects.fingerprint)


def stored_key(connection: Connection) -> bytes:
    """The key that the database itself keeps. Raises `StorageFailed` where it was given another."""
    if key := connection.execute(select(privacy_key.c.key)).scalar():
        return str(key).encode()
    raise StorageFailed(StorageFault.OTHER_KEY)


def store_new_key(connection: Connection) -> None:
    """Have the database keep a key of its own, unless it was given one before."""
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
