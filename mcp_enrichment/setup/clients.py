"""The chat clients that can be set up: the configuration file and the entry format of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup.config_file import SetupError
from mcp_enrichment.setup.formats import JSON, STRICT_JSON, TOML, ConfigFormat, KeyPath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

ENTRY = "enrichment"
"""The name of the server in every configuration."""
MACOS, WINDOWS = "darwin", "win32"
"""Values of `sys.platform`. Every other system is treated as Linux."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The parts of a user's system that paths depend on."""

    platform: str
    home: PurePath
    environment: Mapping[str, str]

    def folder(self, variable: str, *default: str) -> PurePath:
        """The folder that the variable names, or this one in the home folder."""
        named = self.environment.get(variable)
        return type(self.home)(named) if named else self.home.joinpath(*default)

    @property
    def app_data(self) -> PurePath:
        """The folder for the application data of the user."""
        if self.platform == MACOS:
            return self.home / "Library" / "Application Support"
        if self.platform == WINDOWS:
            return self.folder("APPDATA", "AppData", "Roaming")
        return self.folder("XDG_CONFIG_HOME", ".config")


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatClient:
    """A program that starts MCP servers."""

    title: str
    candidates: Callable[[Machine], Sequence[PurePath]]
    """The paths at which its configuration may be, the preferred one first. `*` is a wildcard."""
    servers: str = "mcpServers"
    """The key of the object or table of servers."""
    format: ConfigFormat = JSON
    type: str | None = None
    """The `type` of an entry, if entries have one."""
    environment: str = "env"
    """The key of an entry's environment variables."""
    joins_command: bool = False
    """Whether `command` is one list, of the command and its arguments."""
    fills_placeholders: bool = False
    """Whether the client replaces `${…}` in values before it starts a server."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of an entry. A value that the owner has set is kept."""

    @property
    def path(self) -> KeyPath:
        """The keys that lead to our entry."""
        return (self.servers, ENTRY)

    def file(self, machine: Machine) -> Path:
        """The path of its configuration, which may not exist yet. Raises `SetupError` if its folder
        is missing: then the client has never run on this machine."""
        candidates = self.candidates(machine)
        for candidate in candidates:
            for folder in _matching_folders(candidate.parent):
                return Path(folder) / candidate.name
        raise SetupError(
            f"{self.title} has no folder {candidates[-1].parent} here. Start it once, or name its "
            "configuration with --config FILE."
        )


def _matching_folders(pattern: PurePath) -> list[str]:
    return sorted(glob(escape(str(pattern)).replace("[*]", "*")))


def _claude_desktop(machine: Machine) -> Sequence[PurePath]:
    """On Windows, an installation as a package reads its own folder, and an older installation may
    have left the usual one behind."""
    usual = machine.app_data / "Claude" / "claude_desktop_config.json"
    if machine.platform != WINDOWS:
        return [usual]
    packages = machine.folder("LOCALAPPDATA", "AppData", "Local") / "Packages"
    packaged = packages / "Claude_*" / "LocalCache" / "Roaming" / "Claude"
    return [packaged / usual.name, usual]


def _vscode(machine: Machine) -> Sequence[PurePath]:
    """The default profile, of the stable release first."""
    releases = ("Code", "Code - Insiders")
    return [machine.app_data / release / "User" / "mcp.json" for release in releases]


def _opencode(machine: Machine) -> Sequence[PurePath]:
    """It follows XDG on every system, and reads this file beside the `opencode.jsonc` that it makes
    at its first start."""
    return [machine.folder("XDG_CONFIG_HOME", ".config") / "opencode" / "opencode.json"]


def _cline(machine: Machine) -> Sequence[PurePath]:
    """The file of its command line. Its data folder may be moved alone."""
    data = machine.folder("CLINE_DIR", ".cline") / "data"
    if "CLINE_DATA_DIR" in machine.environment:
        data = machine.folder("CLINE_DATA_DIR")
    return [data / "settings" / "cline_mcp_settings.json"]


CLIENTS = {
    "claude-desktop": ChatClient(
        title="Claude Desktop", candidates=_claude_desktop, format=STRICT_JSON
    ),
    "claude-code": ChatClient(
        title="Claude Code",
        # The user's own file, which applies to all projects.
        candidates=lambda machine: [machine.folder("CLAUDE_CONFIG_DIR") / ".claude.json"],
        format=STRICT_JSON,
        type="stdio",
        fills_placeholders=True,
    ),
    "cursor": ChatClient(
        title="Cursor",
        candidates=lambda machine: [machine.home / ".cursor" / "mcp.json"],
        fills_placeholders=True,
    ),
    "vscode": ChatClient(
        title="VS Code",
        candidates=_vscode,
        servers="servers",
        type="stdio",
        fills_placeholders=True,
    ),
    "windsurf": ChatClient(
        title="Windsurf",
        candidates=lambda machine: [machine.home / ".codeium" / "windsurf" / "mcp_config.json"],
        format=STRICT_JSON,
        fills_placeholders=True,
    ),
    "codex": ChatClient(
        title="Codex",
        # One file for the command line, the application and the editors' extension.
        candidates=lambda machine: [machine.folder("CODEX_HOME", ".codex") / "config.toml"],
        servers="mcp_servers",
        format=TOML,
        # Codex starts a session without the tools of a server that is not ready within about one
        # second, and does not say so. It waits for a required server.
        defaults={"startup_timeout_sec": 30, "required": True},
    ),
    "gemini-cli": ChatClient(
        title="Gemini CLI",
        candidates=lambda machine: [
            machine.folder("GEMINI_CLI_HOME") / ".gemini" / "settings.json"
        ],
        fills_placeholders=True,
    ),
    "qwen-code": ChatClient(
        title="Qwen Code",
        candidates=lambda machine: [machine.folder("QWEN_HOME", ".qwen") / "settings.json"],
        fills_placeholders=True,
    ),
    "opencode": ChatClient(
        title="opencode",
        candidates=_opencode,
        servers="mcp",
        type="local",
        environment="environment",
        joins_command=True,
        fills_placeholders=True,
    ),
    "copilot-cli": ChatClient(
        title="Copilot CLI",
        candidates=lambda machine: [machine.folder("COPILOT_HOME", ".copilot") / "mcp-config.json"],
        type="local",
        fills_placeholders=True,
        defaults={"tools": ["*"]},
    ),
    "cline": ChatClient(
        title="Cline",
        candidates=_cline,
        format=STRICT_JSON,
        # Without this, Cline lists a server that does not answer within 1.5 seconds without tools.
        defaults={"timeout": 60},
    ),
}
