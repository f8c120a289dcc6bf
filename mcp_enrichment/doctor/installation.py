"""The installation: versions, variables, folders and files."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import tempfile
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.app.preflight import network_fault
from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import is_usable
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.contract.pasted_text import strip_invisible
from mcp_enrichment.credentials.keys import key_variable
from mcp_enrichment.doctor import Finding, note, ok, wrong
from mcp_enrichment.file_locks import require_locks
from mcp_enrichment.service.sources.factory import NAMES
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


OLDEST_SQLITE = (3, 37)
"""The first version with STRICT tables."""
MIN_FREE_BYTES = 50 * 1024 * 1024
"""The free space of a disk. A database of 100,000 contacts is smaller."""


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
    """Whether the folders are writable. No folder is created."""
    if settings.is_embedded:
        yield _folder("data", settings.data_dir, "ENRICHMENT_DATA_DIR", wal=True)
    yield _folder("state", settings.state_dir, "ENRICHMENT_STATE_DIR")


def memory(settings: Settings) -> Finding:
    """Whether the memory of past requests is usable."""
    file = settings.memory_file
    if not file.exists():
        return note("memory", "empty: nothing was requested yet")
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


def unknown_variables() -> Iterator[Finding]:
    """Variables with our prefix that are not settings."""
    keys = [key_variable(vendor) for vendor in NAMES]
    fields = [f"ENRICHMENT_{name.upper()}" for name in Settings.model_fields]
    known = {*fields, *keys, *(f"{key}_FILE" for key in keys)}
    # A file of variables may start with a byte order mark, and names may have spaces.
    names = [name for name in os.environ if strip_invisible(name).upper().startswith("ENRICHMENT_")]
    if unknown := sorted(strip_invisible(name) for name in names if name.upper() not in known):
        yield note(
            "settings",
            f"nothing reads {', '.join(unknown)}. Check the spelling, and the white space around.",
        )


def unused_limits(settings: Settings) -> Iterator[Finding]:
    """Limits of sources that are not used."""
    for source in sorted(settings.source_limits.keys() - set(settings.sources)):
        yield note(
            "settings",
            f"ENRICHMENT_SOURCE_LIMITS limits {source}, which is not among ENRICHMENT_SOURCES.",
        )


def network(settings: Settings) -> Iterator[Finding]:
    """Invalid variables for proxies and certificates."""
    if fault := network_fault(settings):
        yield wrong("network", fault)
