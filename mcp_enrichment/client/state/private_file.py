"""Creates the state file so that nobody but its owner can read it."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def create_for_owner(path: Path) -> None:
    """Create the file, empty. If this fails, SQLite creates it, or says why it cannot.

    It gets its name once it is closed: closing a file that SQLite has open ends SQLite's locks.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with suppress(OSError):
        draft.touch(mode=0o600, exist_ok=False)
        try:
            os.link(draft, path)
        finally:
            draft.unlink()
