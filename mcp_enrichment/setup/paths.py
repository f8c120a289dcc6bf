"""Where chat clients keep their configuration on each system. Pure: no folder is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

MACOS, WINDOWS = "darwin", "win32"
"""Of `sys.platform`; every other system is taken for a Linux."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A user's system, as far as paths depend on it."""

    platform: str
    home: PurePath
    environment: Mapping[str, str]

    def folder(self, variable: str, *otherwise: str) -> PurePath:
        """The folder that the variable names; else this one in the home folder."""
        named = self.environment.get(variable)
        return type(self.home)(named) if named else self.home.joinpath(*otherwise)

    @property
    def applications(self) -> PurePath:
        """Where applications keep what belongs to the user."""
        if self.platform == MACOS:
            return self.home / "Library" / "Application Support"
        if self.platform == WINDOWS:
            return self.folder("APPDATA", "AppData", "Roaming")
        return self.folder("XDG_CONFIG_HOME", ".config")


def claude_desktop(machine: Machine) -> Sequence[PurePath]:
    """On Windows an installation as a package reads a folder of its own instead of the usual one,
    and the usual one may be left over from before."""
    usual = machine.applications / "Claude" / "claude_desktop_config.json"
    if machine.platform != WINDOWS:
        return [usual]
    packages = machine.folder("LOCALAPPDATA", "AppData", "Local") / "Packages"
    packaged = packages / "Claude_*" / "LocalCache" / "Roaming" / "Claude"
    return [packaged / usual.name, usual]


def claude_code(machine: Machine) -> Sequence[PurePath]:
    """The user's own file, which holds for all projects."""
    return [machine.folder("CLAUDE_CONFIG_DIR") / ".claude.json"]


def cursor(machine: Machine) -> Sequence[PurePath]:
    return [machine.home / ".cursor" / "mcp.json"]


def vscode(machine: Machine) -> Sequence[PurePath]:
    """The default profile's, of the stable release first."""
    releases = ("Code", "Code - Insiders")
    return [machine.applications / release / "User" / "mcp.json" for release in releases]


def windsurf(machine: Machine) -> Sequence[PurePath]:
    return [machine.home / ".codeium" / "windsurf" / "mcp_config.json"]


def codex(machine: Machine) -> Sequence[PurePath]:
    """One file for the command line, the application and the editors' extension."""
    return [machine.folder("CODEX_HOME", ".codex") / "config.toml"]
