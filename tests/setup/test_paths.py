"""Each client's configuration is found on the three systems."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from mcp_enrichment.cli.setup import setup
from mcp_enrichment.setup.clients import CLIENTS, Machine
from mcp_enrichment.setup.config_file import SetupError

HOMES = {
    "darwin": PurePosixPath("/Users/ada"),
    "win32": PureWindowsPath("C:/Users/ada"),
    "linux": PurePosixPath("/home/ada"),
}
MAC, ROAMING = "/Users/ada/Library/Application Support", r"C:\Users\ada\AppData\Roaming"
PACKAGED = r"C:\Users\ada\AppData\Local\Packages\Claude_*\LocalCache\Roaming\Claude"
EXPECTED = {
    "claude-desktop": {
        "darwin": [f"{MAC}/Claude/claude_desktop_config.json"],
        "win32": [
            rf"{PACKAGED}\claude_desktop_config.json",
            rf"{ROAMING}\Claude\claude_desktop_config.json",
        ],
        "linux": ["/home/ada/.config/Claude/claude_desktop_config.json"],
    },
    "claude-code": {
        "darwin": ["/Users/ada/.claude.json"],
        "win32": [r"C:\Users\ada\.claude.json"],
        "linux": ["/home/ada/.claude.json"],
    },
    "cursor": {
        "darwin": ["/Users/ada/.cursor/mcp.json"],
        "win32": [r"C:\Users\ada\.cursor\mcp.json"],
        "linux": ["/home/ada/.cursor/mcp.json"],
    },
    "vscode": {
        "darwin": [f"{MAC}/Code/User/mcp.json", f"{MAC}/Code - Insiders/User/mcp.json"],
        "win32": [
            rf"{ROAMING}\Code\User\mcp.json",
            rf"{ROAMING}\Code - Insiders\User\mcp.json",
        ],
        "linux": [
            "/home/ada/.config/Code/User/mcp.json",
            "/home/ada/.config/Code - Insiders/User/mcp.json",
        ],
    },
    "windsurf": {
        "darwin": ["/Users/ada/.codeium/windsurf/mcp_config.json"],
        "win32": [r"C:\Users\ada\.codeium\windsurf\mcp_config.json"],
        "linux": ["/home/ada/.codeium/windsurf/mcp_config.json"],
    },
    "codex": {
        "darwin": ["/Users/ada/.codex/config.toml"],
        "win32": [r"C:\Users\ada\.codex\config.toml"],
        "linux": ["/home/ada/.codex/config.toml"],
    },
    "gemini-cli": {
        "darwin": ["/Users/ada/.gemini/settings.json"],
        "win32": [r"C:\Users\ada\.gemini\settings.json"],
        "linux": ["/home/ada/.gemini/settings.json"],
    },
    "qwen-code": {
        "darwin": ["/Users/ada/.qwen/settings.json"],
        "win32": [r"C:\Users\ada\.qwen\settings.json"],
        "linux": ["/home/ada/.qwen/settings.json"],
    },
    "opencode": {
        "darwin": ["/Users/ada/.config/opencode/opencode.json"],
        "win32": [r"C:\Users\ada\.config\opencode\opencode.json"],
        "linux": ["/home/ada/.config/opencode/opencode.json"],
    },
    "copilot-cli": {
        "darwin": ["/Users/ada/.copilot/mcp-config.json"],
        "win32": [r"C:\Users\ada\.copilot\mcp-config.json"],
        "linux": ["/home/ada/.copilot/mcp-config.json"],
    },
    "cline": {
        "darwin": ["/Users/ada/.cline/data/settings/cline_mcp_settings.json"],
        "win32": [r"C:\Users\ada\.cline\data\settings\cline_mcp_settings.json"],
        "linux": ["/home/ada/.cline/data/settings/cline_mcp_settings.json"],
    },
}
ELSEWHERE = {
    ("claude-code", "linux", "CLAUDE_CONFIG_DIR"): "/elsewhere/.claude.json",
    ("codex", "darwin", "CODEX_HOME"): "/elsewhere/config.toml",
    ("gemini-cli", "linux", "GEMINI_CLI_HOME"): "/elsewhere/.gemini/settings.json",
    ("vscode", "linux", "XDG_CONFIG_HOME"): "/elsewhere/Code/User/mcp.json",
    ("cursor", "linux", "XDG_CONFIG_HOME"): "/home/ada/.cursor/mcp.json",
    ("vscode", "darwin", "XDG_CONFIG_HOME"): f"{MAC}/Code/User/mcp.json",
    ("vscode", "win32", "APPDATA"): r"\elsewhere\Code\User\mcp.json",
    ("claude-desktop", "win32", "LOCALAPPDATA"): (
        r"\elsewhere\Packages\Claude_*\LocalCache\Roaming\Claude\claude_desktop_config.json"
    ),
    ("qwen-code", "win32", "QWEN_HOME"): r"\elsewhere\settings.json",
    ("opencode", "darwin", "XDG_CONFIG_HOME"): "/elsewhere/opencode/opencode.json",
    ("copilot-cli", "linux", "COPILOT_HOME"): "/elsewhere/mcp-config.json",
    ("cline", "darwin", "CLINE_DIR"): "/elsewhere/data/settings/cline_mcp_settings.json",
    ("cline", "linux", "CLINE_DATA_DIR"): "/elsewhere/settings/cline_mcp_settings.json",
}


def machine(platform: str, **environment: str) -> Machine:
    return Machine(platform=platform, home=HOMES[platform], environment=environment)


def as_text(paths: list[PurePath]) -> list[str]:
    return [str(path) for path in paths]


@pytest.mark.parametrize("platform", HOMES)
@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_is_looked_for_where_it_keeps_its_configuration(
    client: str, platform: str
) -> None:
    found = CLIENTS[client].candidates(machine(platform))
    assert as_text(list(found)) == EXPECTED[client][platform]


@pytest.mark.parametrize(("client", "platform", "variable"), ELSEWHERE)
def test_a_folder_that_the_user_has_moved_is_followed(
    client: str, platform: str, variable: str
) -> None:
    found = CLIENTS[client].candidates(machine(platform, **{variable: "/elsewhere"}))
    assert str(found[0]) == ELSEWHERE[client, platform, variable]


def test_the_command_offers_every_client_that_there_is() -> None:
    [client] = [one for one in setup.params if one.name == "client"]
    assert client.to_info_dict()["type"]["choices"] == tuple(CLIENTS)


def test_a_packaged_claude_desktop_is_preferred_to_what_an_older_one_left(tmp_path: Path) -> None:
    roaming, local = tmp_path / "R [1]", tmp_path / "L [1]"
    windows = Machine(
        platform="win32",
        home=tmp_path,
        environment={"APPDATA": str(roaming), "LOCALAPPDATA": str(local)},
    )
    client = CLIENTS["claude-desktop"]
    with pytest.raises(SetupError, match="Start it once"):
        client.file(windows)
    (roaming / "Claude").mkdir(parents=True)
    assert client.file(windows) == roaming / "Claude" / "claude_desktop_config.json"
    packaged = local / "Packages" / "Claude_abc" / "LocalCache" / "Roaming" / "Claude"
    packaged.mkdir(parents=True)
    assert client.file(windows) == packaged / "claude_desktop_config.json"
