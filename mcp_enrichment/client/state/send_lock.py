"""A lock that a process holds while it sends a POST.

It is SQLite's lock on an empty file, which works on every operating system. The system releases it
when the process is killed; a process that is stopped (SIGSTOP) keeps it.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING

import anyio.to_thread

from mcp_enrichment.client.state.sqlite_file import translate_sqlite_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STALE_SECONDS = 3600.0
"""Age at which any process removes the lock file of a killed process."""


@asynccontextmanager
async def hold_send_lock(state_file: Path) -> AsyncIterator[str]:
    """Hold a new lock beside the state file and yield its name. Raises `StorageFailed`."""
    name = uuid.uuid4().hex
    held = await anyio.to_thread.run_sync(_acquire, state_file, name)
    try:
        yield name
    finally:
        held.close()
        _remove(_lock_file(state_file, name))


def is_held(state_file: Path, name: str) -> bool:
    """Whether the process that took this lock still holds it."""
    file = _lock_file(state_file, name)
    if not file.exists():
        return False
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return True
    _remove(file)
    return False


def _acquire(state_file: Path, name: str) -> sqlite3.Connection:
    with translate_sqlite_errors():
        _remove_stale(state_file)
        # Another thread than this one closes it.
        file = _lock_file(state_file, name)
        held = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN EXCLUSIVE")
        return held


def _remove_stale(state_file: Path) -> None:
    for file in state_file.parent.glob(_lock_file(state_file, "*").name):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                is_held(state_file, file.name.rpartition("-")[2])


def _remove(file: Path) -> None:
    with suppress(OSError):  # on Windows another process may have it open
        file.unlink()


def _lock_file(state_file: Path, name: str) -> Path:
    return state_file.with_name(f"{state_file.name}.sending-{name}")
