"""Creates a file that only its owner may read."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def create_for_owner(file: Path, content: str = "") -> None:
    """Create the file in one step, unless another process has just created it. Raises `OSError`.

    It gets its name once it is closed: closing a file that SQLite has open ends SQLite's locks. No
    power cut loses it: what is stored next may be of no use without it.
    """
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as writing:
            writing.write(content)
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
