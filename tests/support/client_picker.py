"""Writes the part of the install page on each chat client that `setup` knows."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath, PureWindowsPath

from mcp_enrichment import PROGRAM
from mcp_enrichment.setup.clients import CLIENTS, MACOS, WINDOWS, ChatClient, Machine
from mcp_enrichment.setup.entry import new_entry, with_entry

HOMES: dict[str, tuple[str, PurePath]] = {
    "linux": ("Linux", PurePosixPath("~")),
    MACOS: ("macOS", PurePosixPath("~")),
    WINDOWS: ("Windows", PureWindowsPath("%USERPROFILE%")),
}


def client_picker() -> str:
    """A part for each client, of which a browser shows one at a time: the command, the file that
    it changes, and the entry."""
    parts = [_part(name, client) for name, client in CLIENTS.items()]
    return "\n".join(parts).replace("<details", "<details open", 1)


def entry_of(client: ChatClient, command: str = PROGRAM) -> str:
    """The text of a configuration with our entry alone."""
    return with_entry(client, None, new_entry(client, [command], {}))


def _part(name: str, client: ChatClient) -> str:
    return (
        f'<details name="client">\n<summary>{client.title}</summary>\n\n'
        f"```sh\n{PROGRAM} setup {name}\n```\n\n"
        f"adds the server to {_files(client)}, with the command's full path. Then restart "
        f"{client.title}. The entry:\n\n"
        f"```{client.format.name.lower()}\n{entry_of(client).rstrip()}\n```\n\n</details>\n"
    )


def _files(client: ChatClient) -> str:
    """The file's usual path, for each system on which it differs."""
    systems: dict[str, list[str]] = {}
    for platform, (system, home) in HOMES.items():
        machine = Machine(platform=platform, home=home, environment={})
        systems.setdefault(str(client.candidates(machine)[0]), []).append(system)
    return ", ".join(f"`{path}` ({', '.join(names)})" for path, names in systems.items())
