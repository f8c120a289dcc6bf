"""The command that starts this installation from a program with another PATH and working folder."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.pasted_text import strip_invisible
from mcp_enrichment.credentials import system_keyring
from mcp_enrichment.credentials.keys import key_variable
from mcp_enrichment.settings import Settings

EPHEMERAL_FOLDERS = ("archive-v", "environments-v")
"""Prefixes of folders in uv's cache. uv may remove an environment there at any time."""
HTTP_ONLY_PREFIXES = ("http_", "oauth_", "push_", "public_")
"""Prefixes of settings that a server on stdio does not use."""
SECRETS = frozenset(
    f"ENRICHMENT_{name.upper()}"
    for name, field in Settings.model_fields.items()
    if "SecretStr" in repr(field.annotation)
)
"""Variables with secret values. Each vendor's key is another one."""
_VENDOR_KEY = re.compile(r"ENRICHMENT_\w+_API_KEY")
_CREDENTIALS_IN_URL = re.compile(r"\w+://[^/?#]*@")


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A command by its absolute path, and its arguments."""

    command: str
    arguments: tuple[str, ...] = ()


def current_launch() -> Launch:
    """The command that starts the running installation."""
    prefix = Path(sys.prefix)
    if any(part.startswith(EPHEMERAL_FOLDERS) for part in prefix.parts):
        return _uvx_launch(with_keyring=system_keyring.is_installed())
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sys.executable).with_name(PROGRAM + suffix)
    if script.exists():
        return Launch(command=str(script))
    # -P: do not import from the client's working folder.
    return Launch(command=sys.executable, arguments=("-P", "-m", "mcp_enrichment"))


def is_ours(entry: object) -> bool:
    """Whether an entry of a configuration starts this program, whatever its installation."""
    if not isinstance(entry, dict):
        return False
    arguments = entry.get("args")
    words = [entry.get("command"), *(arguments if isinstance(arguments, list) else ())]
    return any(PROGRAM in str(word).replace("_", "-") for word in words)


def is_secret(variable: str, value: object) -> bool:
    """Whether a variable of ours holds a key, a password or another secret."""
    is_named_so = variable in SECRETS or _VENDOR_KEY.fullmatch(variable)
    return bool(is_named_so or _CREDENTIALS_IN_URL.match(str(value)))


def settings_to_pass_on(settings: Settings) -> dict[str, str]:
    """The settings of this process that the server needs as well, secrets included. A chat client
    has another environment than a terminal, and another working folder."""
    environment = {}
    for name, value in settings:
        variable = f"ENRICHMENT_{name.upper()}"
        raw = strip_invisible(os.environ.get(variable, ""))
        if raw and not name.startswith(HTTP_ONLY_PREFIXES):
            environment[variable] = str(value) if isinstance(value, Path) else raw
    return environment | _vendor_keys_to_pass_on(settings)


def _vendor_keys_to_pass_on(settings: Settings) -> dict[str, str]:
    keys = [key_variable(vendor) for vendor in settings.vendor_keys]
    names = [*keys, *(f"{key}_FILE" for key in keys)]
    return {name: raw for name in names if (raw := strip_invisible(os.environ.get(name, "")))}


def first_missing_key(settings: Settings, environment: dict[str, str]) -> str | None:
    """The variable of the first vendor key that this environment lacks."""
    keys = (key_variable(vendor) for vendor in settings.vendor_keys)
    return next((k for k in keys if not {k, f"{k}_FILE"} & set(environment)), None)


def _uvx_launch(*, with_keyring: bool) -> Launch:
    uv = os.environ.get("UV")
    beside = Path(uv).with_name("uvx" + Path(uv).suffix) if uv else None
    command = str(beside) if beside and beside.exists() else shutil.which("uvx") or "uvx"
    if with_keyring:
        return Launch(command=command, arguments=("--from", f"{PROGRAM}[keyring]", PROGRAM))
    return Launch(command=command, arguments=(PROGRAM,))
