"""Lists that are named by an id, so that a later call can go on with them.

The content is encrypted with a key that is derived from the id, and the file holds only a hash of
the id. So the file reveals no profile, and only a caller that has the id can read the list.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING

from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.contract.errors import UnknownEnrichment

if TYPE_CHECKING:
    from mcp_enrichment.client.state.requests import RequestStore

PREFIX = "list-"


async def save_list(store: RequestStore, content: str) -> str:
    """Save the content; return the id of the list."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 (it takes 50 ms to import)

    list_id = PREFIX + secrets.token_hex(16)
    encrypted = Fernet(_key(list_id)).encrypt(content.encode()).decode()
    await store.save_list(sha256_of(list_id), encrypted)
    return list_id


async def read_list(store: RequestStore, list_id: str) -> str:
    """The content of a list. Raises `UnknownEnrichment`."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    encrypted = await store.find_list(sha256_of(list_id))
    if encrypted is None:
        raise UnknownEnrichment(enrichment_id=list_id)
    return Fernet(_key(list_id)).decrypt(encrypted).decode()


def _key(list_id: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(list_id.encode()).digest())
