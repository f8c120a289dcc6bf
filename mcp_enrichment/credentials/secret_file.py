"""A secret file that the processes of one machine share. The first of them creates it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.owner_file import create_for_owner

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 32


def read_or_create_secret(file: Path) -> bytes:
    """Read the secret, or create a file that only its owner may read. Raises `StorageFailed`."""
    try:
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_for_owner(file, secrets.token_hex(BYTES))
        secret = bytes.fromhex(file.read_text("ascii"))
    except OSError as error:
        raise StorageFailed(StorageFault.NOT_WRITABLE) from error
    except ValueError as error:
        raise StorageFailed(StorageFault.DAMAGED_SECRET) from error
    if len(secret) < BYTES:
        raise StorageFailed(StorageFault.DAMAGED_SECRET)
    return secret
