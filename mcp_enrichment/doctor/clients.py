"""The entries in the chat clients of this machine. Each is started once, as its client does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.defaults import INVALID_SETTINGS_EXIT
from mcp_enrichment.contract.pasted_text import text_problem
from mcp_enrichment.doctor import Finding, note, ok, wrong
from mcp_enrichment.setup import config_file
from mcp_enrichment.setup.clients import CLIENTS, Machine
from mcp_enrichment.setup.config_file import SetupError
from mcp_enrichment.setup.entry import command_line, is_ours
from mcp_enrichment.setup.formats import UnreadableConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcp_enrichment.setup.clients import ChatClient

ANSWER_SECONDS = 30.0
"""The limit of a start. Chat clients wait for less."""
PASSED_ON = (
    *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"),
    *("APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP"),
    *("USERNAME", "USERPROFILE"),
)
"""The variables that clients pass to a server, as the SDKs do. Settings of a terminal are not."""
INITIALIZE_REQUEST = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": '
    b'"2025-11-25", "capabilities": {}, "clientInfo": {"name": "doctor", "version": "1"}}}\n'
)


def client_findings() -> Iterator[Finding]:
    """One finding for each client that has our entry, or a configuration that cannot be read."""
    is_there = False
    for name, client in CLIENTS.items():
        if found := _examined(name, client):
            is_there = True
            yield found
    if not is_there:
        yield note("client", "none has an entry yet: `mcp-enrichment setup --help` names them")


def _examined(name: str, client: ChatClient) -> Finding | None:
    machine = Machine(platform=sys.platform, home=Path.home(), environment=os.environ)
    try:
        file = config_file.read(client.file(machine))
        entry = client.format.at(file.text or "", client.path)
    except (SetupError, OSError):
        return None  # the client has never run here, or the file is another user's
    except UnreadableConfig as fault:
        return wrong(
            "client",
            f"{client.title} cannot read {client.file(machine)}: {fault}. Correct the file.",
        )
    if not is_ours(entry):
        return None
    outcome = _fault_of(client, entry)
    where = f"{client.title}, {file.path}"
    if isinstance(outcome, float):
        return ok("client", f"{where}: its entry starts the server, in {outcome:.1f} s")
    return wrong("client", f"{where}: {outcome} Run `mcp-enrichment setup {name}` again.")


def _fault_of(client: ChatClient, entry: Mapping[str, Any]) -> str | float:
    """The problem of an entry, or the seconds of its start."""
    began = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 (the user's own entry; it may end without reading)
            command_line(entry),
            input=INITIALIZE_REQUEST,
            capture_output=True,
            check=False,
            timeout=ANSWER_SECONDS,
            env=_environment(client, entry),
            cwd=Path.home(),
        )
    except subprocess.TimeoutExpired:
        return f"its entry does not answer within {ANSWER_SECONDS:.0f} s."
    except (OSError, ValueError):
        return "its entry names a command that is missing, or cannot be run."
    if done.returncode == INVALID_SETTINGS_EXIT:
        for line in done.stderr.decode(errors="replace").splitlines():
            if line.startswith("Error: "):
                error = line.removeprefix("Error: ")
                return f"its entry starts a server that refuses every call: {error}"
    if b'"mcp-enrichment"' not in done.stdout:
        return "its entry starts something that does not answer as this server does."
    return time.monotonic() - began


def _environment(client: ChatClient, entry: Mapping[str, Any]) -> dict[str, str]:
    """The environment of the server. Values that the client fills in are unknown, and left out."""
    given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    named = entry.get(client.environment)
    for name, value in (named if isinstance(named, dict) else {}).items():
        if not (client.fills_placeholders and text_problem(str(value))):
            given[name] = str(value)
    return given
