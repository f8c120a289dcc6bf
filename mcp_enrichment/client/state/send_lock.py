"""A lock that is held while a POST is being sent; the system releases it when its holder dies.

It is SQLite's lock on an empty file of its own, as SQLite knows how to lock on every system. A
process that is killed lets go of it at once; one that is stopped (SIGSTOP) keeps it.
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

SWEPT_AFTER = 3600.0
"""Seconds after which any process removes the lock file of a process that was killed."""


@asynccontextmanager
async def hold_send_lock(memory: Path) -> AsyncIterator[str]:
    """Holds a new lock beside this memory; yields its name. Raises `StorageFailed`."""
    name = uuid.uuid4().hex
    held = await anyio.to_thread.run_sync(_take, memory, name)
    try:
        yield name
    finally:
        held.close()
        _remove(_file(memory, name))


def is_held(memory: Path, name: str) -> bool:
    """Whether the process that took this lock is still sending."""
    file = _file(memory, name)
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


def _take(memory: Path, name: str) -> sqlite3.Connection:
    with translate_sqlite_errors():
        _sweep(memory)
        file = _file(memory, name)
        # It is closed in another thread than this one.
        held = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN EXCLUSIVE")
        return held


def _sweep(memory: Path) -> None:
    for file in memory.parent.glob(_file(memory, "*").name):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > SWEPT_AFTER:
                is_held(memory, file.name.rpartition("-")[2])


def _remove(file: Path) -> None:
    with suppress(OSError):  # on Windows another process may just be looking at it
        file.unlink()


def _file(memory: Path, name: str) -> Path:
    return memory.with_name(f"{memory.name}.sending-{name}")
