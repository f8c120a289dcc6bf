"""A secret file that the processes of one machine share. The first of them creates it."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 32


def read_or_create_secret(file: Path) -> bytes:
    """Read the secret, or create a file that only its owner may read. Raises `StorageFailed`."""
    try:
        if not file.exists():
            _create(file)
        secret = bytes.fromhex(file.read_text("ascii"))
    except OSError as error:
        raise StorageFailed(StorageFault.NOT_WRITABLE) from error
    except ValueError as error:
        raise StorageFailed(StorageFault.DAMAGED_SECRET) from error
    if len(secret) < BYTES:
        raise StorageFailed(StorageFault.DAMAGED_SECRET)
    return secret


def _create(file: Path) -> None:
    """Create the file atomically, and never replace one that another process has just created.

    No power cut loses it: what is stored next may be of no use without it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as writing:
            writing.write(secrets.token_hex(BYTES))
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
        _sync_names(file.parent)
    finally:
        draft.unlink()


def _sync_names(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
