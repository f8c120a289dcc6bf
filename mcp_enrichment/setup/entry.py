"""Our entry in a client's configuration: its content, and adding, comparing and removing it.

A chat client has another environment, PATH and working folder than a terminal. No file is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.pasted_text import strip_invisible
from mcp_enrichment.credentials import system_keyring
from mcp_enrichment.credentials.keys import key_variable
from mcp_enrichment.settings import Settings
from mcp_enrichment.setup.config_file import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_enrichment.setup.clients import ChatClient


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


def launch_command() -> list[str]:
    """The command that starts the running installation from any folder, by its absolute path."""
    prefix = Path(sys.prefix)
    if any(part.startswith(EPHEMERAL_FOLDERS) for part in prefix.parts):
        return _uvx_command()
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sys.executable).with_name(PROGRAM + suffix)
    if script.exists():
        return [str(script)]
    # -P: do not import from the client's working folder.
    return [sys.executable, "-P", "-m", "mcp_enrichment"]


def is_ours(entry: object) -> bool:
    """Whether an entry of a configuration starts this program, whatever its installation."""
    if not isinstance(entry, dict):
        return False
    return any(PROGRAM in word.replace("_", "-") for word in command_line(entry))


def command_line(entry: Mapping[str, Any]) -> list[str]:
    """The command of an entry and its arguments, whether they are one list or two values."""
    command, arguments = entry.get("command"), entry.get("args")
    words = command if isinstance(command, list) else [command]
    return [str(word) for word in (*words, *(arguments if isinstance(arguments, list) else ()))]


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
    keys = [key_variable(vendor) for vendor in settings.vendor_keys]
    for variable in (*keys, *(f"{key}_FILE" for key in keys)):
        if raw := strip_invisible(os.environ.get(variable, "")):
            environment[variable] = raw
    return environment


def first_missing_key(settings: Settings, environment: dict[str, str]) -> str | None:
    """The variable of the first vendor key that this environment lacks."""
    keys = (key_variable(vendor) for vendor in settings.vendor_keys)
    return next((k for k in keys if not {k, f"{k}_FILE"} & set(environment)), None)


def _uvx_command() -> list[str]:
    uv = os.environ.get("UV")
    beside = Path(uv).with_name("uvx" + Path(uv).suffix) if uv else None
    command = str(beside) if beside and beside.exists() else shutil.which("uvx") or "uvx"
    extra = ["--from", f"{PROGRAM}[keyring]"] if system_keyring.is_installed() else []
    return [command, *extra, PROGRAM]


def new_entry(
    client: ChatClient, words: Sequence[str], environment: dict[str, str]
) -> dict[str, Any]:
    """Our entry in the form that the client reads. `words`: the command and its arguments."""
    stated = {"type": client.type} if client.type else {}
    variables = {client.environment: environment} if environment else {}
    command, *arguments = words
    started: dict[str, Any] = {"command": command, "args": arguments}
    if client.joins_command:
        started = {"command": list(words)}
    return stated | started | dict(client.defaults) | variables


def with_entry(client: ChatClient, text: str | None, entry: dict[str, Any]) -> str:
    """Add our entry to the text. Keys that the owner has added to an existing entry of ours stay.

    Raises `UnreadableConfig`, and `SetupError` if another server has our name.
    """
    text = text or ""
    present = client.format.at(text, client.path)
    if present is not None and not is_ours(present):
        raise SetupError(
            f"{client.title} has another server that is called {client.path[-1]!r}. Nothing was "
            "changed. Rename that one first."
        )
    decided = client.defaults.keys() & (present or {}).keys()
    written = {key: value for key, value in entry.items() if key not in decided}
    return client.format.merged(text, client.path, written)


def without_secrets(client: ChatClient, text: str) -> str:
    """Remove the keys and other secrets of ours from our entry in the text. Raises
    `UnreadableConfig`."""
    environment = (*client.path, client.environment)
    for variable in kept_variables(client, text, {}) if has_entry(client, text) else ():
        if is_secret(variable, client.format.at(text, (*environment, variable))):
            text = client.format.remove(text, (*environment, variable))
    return text


def kept_variables(client: ChatClient, text: str, entry: dict[str, Any]) -> list[str]:
    """Our variables in the text's entry that are not in this one."""
    present = client.format.at(text, (*client.path, client.environment))
    named = present if isinstance(present, dict) else {}
    ours = entry.get(client.environment, {})
    return [v for v in named if v.startswith("ENRICHMENT_") and v not in ours]


def holds_secrets(client: ChatClient, entry: dict[str, Any]) -> bool:
    """Whether only the owner may read the entry."""
    return any(is_secret(*variable) for variable in entry.get(client.environment, {}).items())


def has_entry(client: ChatClient, text: str | None) -> bool:
    """Whether the text has our entry. Raises `UnreadableConfig`."""
    return is_ours(client.format.at(text or "", client.path))


def without_entry(client: ChatClient, text: str, before: str | None) -> str | None:
    """Remove our entry from the text, or restore the entry of ours that `before` has.

    If nothing else has changed since, this is the text `before`. None: the file did not exist and
    is to be deleted. Raises `UnreadableConfig`.
    """
    ours = client.format.at(text, client.path)
    if before is not None and with_entry(client, before, ours) == text:
        return before or None
    earlier = client.format.at(before or "", client.path)
    if is_ours(earlier):
        return client.format.put(text, client.path, earlier)
    return client.format.remove(text, client.path)
