"""What lies on this machine: versions, folders and files."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import tempfile
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import is_usable
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.doctor.findings import Finding, note, ok, wrong
from mcp_enrichment.file_locks import require_locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.settings import Settings

OLDEST_SQLITE = (3, 37)
"""The first with STRICT tables."""
MIN_FREE_BYTES = 50 * 1024 * 1024
"""Bytes that a folder's disk should have; a database of 100,000 contacts is smaller."""


def versions() -> Iterator[Finding]:
    """The package, Python and SQLite."""
    yield _package()
    yield ok("python", platform.python_version())
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield wrong(
            "sqlite",
            f"{sqlite3.sqlite_version} is older than 3.37. Use a Python that was built with a "
            "newer one: `uv python install` brings one.",
        )
    else:
        yield ok("sqlite", sqlite3.sqlite_version)


def folders(settings: Settings) -> Iterator[Finding]:
    """Whether what has to be written can be; nothing is made where nothing was."""
    if settings.is_embedded:
        yield _folder("data", settings.data_dir, "ENRICHMENT_DATA_DIR", wal=True)
    yield _folder("state", settings.state_dir, "ENRICHMENT_STATE_DIR")


def memory(settings: Settings) -> Finding:
    """Whether the memory of past requests can be used."""
    file = settings.memory_file
    if not file.exists():
        return note("memory", "empty: nothing was asked yet")
    try:
        if is_usable(file, SCHEMA):
            return ok("memory", str(file))
    except StorageFailed as failure:
        return wrong("memory", f"{file}: {failure.to_person()}")
    return wrong(
        "memory",
        f"{file} is damaged, or of a newer version. Restore it, or upgrade: otherwise its next use "
        "sets it aside, and what it held may be paid for again.",
    )


def _package() -> Finding:
    try:
        installed = version(PROGRAM)
    except PackageNotFoundError:
        return note("version", f"{__version__}, run from its source")
    if installed != __version__:
        return wrong(
            "version",
            f"the files are of {__version__}, but {installed} is installed: reinstall it.",
        )
    return ok("version", f"{__version__}, with mcp {version('mcp')}")


def _folder(what: str, folder: Path, variable: str, *, wal: bool = False) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    what_to_do = f"Make it writable for you, or set {variable} to a folder that is."
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return wrong(what, f"{there} cannot be written. {what_to_do}")
    try:
        if there == folder:
            tempfile.TemporaryFile(dir=folder).close()
            require_locks(folder, wal=wal)
    except StorageFailed as failure:
        return wrong(what, f"{folder}: {failure.to_person()}")
    except OSError:
        return wrong(what, f"{there} cannot be written. {what_to_do}")
    if shutil.disk_usage(there).free < MIN_FREE_BYTES:
        return wrong(what, f"the disk of {there} is nearly full. Free space on it.")
    return ok(what, str(folder) if there == folder else f"{folder}, made at the first use")
