"""How this very installation is started by a program that knows neither its PATH nor its folder."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM
from mcp_enrichment.api_key import system_keyring
from mcp_enrichment.api_key.of_vendors import variable_of

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

PASSING = ("archive-v", "environments-v")
"""How uv's cache calls the folders of environments that it may remove at any time."""
KEY = "ENRICHMENT_API_KEY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A command, by its whole path, and its arguments."""

    command: str
    arguments: tuple[str, ...] = ()


def launch_of_this() -> Launch:
    """How to start the installation that runs now."""
    prefix = Path(sys.prefix)
    if any(part.startswith(PASSING) for part in prefix.parts):
        return _by_uvx(with_keyring=system_keyring.is_installed())
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sys.executable).with_name(PROGRAM + suffix)
    if script.exists():
        return Launch(command=str(script))
    # -P: the folder that the client happens to run in is no place to import from.
    return Launch(command=sys.executable, arguments=("-P", "-m", "mcp_enrichment"))


def is_ours(entry: object) -> bool:
    """Whether an entry of a configuration starts this program, however it was installed."""
    if not isinstance(entry, dict):
        return False
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else ())]
    return any(PROGRAM in str(word).replace("_", "-") for word in words)


def settings_to_hand_on(chosen: Settings, *, with_key: bool) -> dict[str, str]:
    """The settings of this process that the server will need too: a chat client does not have the
    environment of a terminal, and runs in another folder."""
    environment = {}
    for name, value in chosen:
        variable = f"ENRICHMENT_{name.upper()}"
        raw = os.environ.get(variable)
        if raw and (variable != KEY or with_key):
            environment[variable] = str(value) if isinstance(value, Path) else raw
    return environment | _vendors_to_hand_on(chosen, with_key=with_key)


def _vendors_to_hand_on(chosen: Settings, *, with_key: bool) -> dict[str, str]:
    keys = [variable_of(vendor) for vendor in chosen.vendor_keys]
    names = [*(keys if with_key else ()), *(f"{key}_FILE" for key in keys)]
    return {name: raw for name in names if (raw := os.environ.get(name))}


def _by_uvx(*, with_keyring: bool) -> Launch:
    uv = os.environ.get("UV")
    beside = Path(uv).with_name("uvx" + Path(uv).suffix) if uv else None
    command = str(beside) if beside and beside.exists() else shutil.which("uvx") or "uvx"
    if with_keyring:
        return Launch(command=command, arguments=("--from", f"{PROGRAM}[keyring]", PROGRAM))
    return Launch(command=command, arguments=(PROGRAM,))
