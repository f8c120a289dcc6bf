"""The chat clients that can be set up: what each calls its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup import paths
from mcp_enrichment.setup.errors import SetupError
from mcp_enrichment.setup.formats import JSON, STRICT_JSON, TOML, Format, KeyPath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

    from mcp_enrichment.setup.launch import Launch
    from mcp_enrichment.setup.paths import Machine

ENTRY = "enrichment"
"""What the server is called in every configuration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatClient:
    """A program that starts MCP servers."""

    title: str
    candidates: Callable[[Machine], Sequence[PurePath]]
    servers: str = "mcpServers"
    """The object or table that holds the servers."""
    format: Format = JSON
    states_type: bool = False
    """Whether an entry says that it is spoken to over stdio."""
    fills_placeholders: bool = False
    """Whether it puts values in the place of `${…}` before it starts a server."""
    wishes: Mapping[str, Any] = field(default_factory=dict)
    """What else an entry says, unless its owner has it say something else."""

    @property
    def path(self) -> KeyPath:
        """The keys that lead to our entry."""
        return (self.servers, ENTRY)

    def entry(self, launch: Launch, environment: dict[str, str]) -> dict[str, Any]:
        """Our entry as this client reads it."""
        stated = {"type": "stdio"} if self.states_type else {}
        variables = {"env": environment} if environment else {}
        started = {"command": launch.command, "args": list(launch.arguments)}
        return stated | started | dict(self.wishes) | variables

    def file(self, machine: Machine) -> Path:
        """Its configuration, which need not exist. Raises `SetupError` where its folder does not:
        then the client has never run here."""
        candidates = self.candidates(machine)
        for candidate in candidates:
            for folder in _existing(candidate.parent):
                return Path(folder) / candidate.name
        raise SetupError(
            f"{self.title} has no folder {candidates[-1].parent} here. Start it once, or name its "
            "configuration with --config FILE."
        )


def _existing(folder: PurePath) -> list[str]:
    """The folders of this name, in which a star stands for anything."""
    return sorted(glob(escape(str(folder)).replace("[*]", "*")))


CLIENTS = {
    "claude-desktop": ChatClient(
        title="Claude Desktop", candidates=paths.claude_desktop, format=STRICT_JSON
    ),
    "claude-code": ChatClient(
        title="Claude Code",
        candidates=paths.claude_code,
        format=STRICT_JSON,
        states_type=True,
        fills_placeholders=True,
    ),
    "cursor": ChatClient(title="Cursor", candidates=paths.cursor, fills_placeholders=True),
    "vscode": ChatClient(
        title="VS Code",
        candidates=paths.vscode,
        servers="servers",
        states_type=True,
        fills_placeholders=True,
    ),
    "windsurf": ChatClient(
        title="Windsurf",
        candidates=paths.windsurf,
        format=STRICT_JSON,
        fills_placeholders=True,
    ),
    "codex": ChatClient(
        title="Codex",
        candidates=paths.codex,
        servers="mcp_servers",
        format=TOML,
        # Codex begins without the tools of a server that is not there within a second or so, and
        # says nothing. It waits for one that is required.
        wishes={"startup_timeout_sec": 30, "required": True},
    ),
}
