"""`mcp-enrichment setup` adds an entry that starts the server, keeps the rest, and can undo it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.setup import config_file
from mcp_enrichment.setup.config_file import SetupError
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from tests.cli.commands import Shell

PLAIN = """\
{
    "mcpServers": {
        "other": { "command": "other", "env": { "TOKEN": "its-secret" } }
    },
    "theme":"dark"
}
"""
TOML = '# mine\nmodel = "o3"\n\n[mcp_servers.other]\ncommand = "other" # the other\n'
LINUX = {
    "claude-desktop": (".config/Claude/claude_desktop_config.json", PLAIN),
    "claude-code": (".claude.json", PLAIN),
    "cursor": (".cursor/mcp.json", PLAIN),
    "vscode": (".config/Code/User/mcp.json", PLAIN.replace("mcpServers", "servers")),
    "windsurf": (".codeium/windsurf/mcp_config.json", PLAIN),
    "codex": (".codex/config.toml", TOML),
    "gemini-cli": (".gemini/settings.json", PLAIN),
    "qwen-code": (".qwen/settings.json", PLAIN),
    "opencode": (".config/opencode/opencode.json", PLAIN.replace("mcpServers", "mcp")),
    "copilot-cli": (".copilot/mcp-config.json", PLAIN),
    "cline": (".cline/data/settings/cline_mcp_settings.json", PLAIN),
}
MOVES = {
    "XDG_CONFIG_HOME",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "GEMINI_CLI_HOME",
    "QWEN_HOME",
    "COPILOT_HOME",
    "CLINE_DIR",
    "CLINE_DATA_DIR",
}
"""Variables that move a client's configuration."""
NO_FOLDERS = {"DATA_DIR": "", "STATE_DIR": ""}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its files are Linux's")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which every client has run once."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in MOVES:
        monkeypatch.delenv(variable, raising=False)
    for file, _ in LINUX.values():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.fixture
def cursor(home: Path) -> Path:
    """Cursor's configuration, with another server."""
    file = home / LINUX["cursor"][0]
    file.write_text(json.dumps(json.loads(PLAIN), indent=4) + "\n")
    return file


def backup_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.before-mcp-enrichment")


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def entry_in(file: Path) -> dict[str, Any]:
    """Our entry in a file without comments."""
    load = tomllib.loads if file.suffix == ".toml" else json.loads
    parts = [part for part in load(file.read_text()).values() if isinstance(part, dict)]
    [entry] = [part["enrichment"] for part in parts if "enrichment" in part]
    return dict(entry)


def variables_in(file: Path) -> dict[str, str]:
    """The environment variables of our entry, which opencode has under another key."""
    entry = entry_in(file)
    return dict(entry.get("env") or entry.get("environment") or {})


@pytest.mark.parametrize("client", LINUX)
def test_the_entry_is_added_to_what_is_there_and_undone_to_the_byte(
    client: str, home: Path, shell: Shell
) -> None:
    name, text = LINUX[client]
    file = home / name
    file.write_bytes(text.encode())
    file.chmod(0o640)
    done = shell.run("setup", client)
    assert (done.code, done.err) == (0, "")
    assert str(file) in done.out
    changed = file.read_text()
    assert "mcp-enrichment" in changed
    rest = iter(changed)
    assert all(mark in rest for mark in text if not mark.isspace()), changed
    assert backup_of(file).read_text() == text
    assert (
        stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(backup_of(file).stat().st_mode) == 0o640
    )
    assert shell.run("setup", client, "--undo").code == 0
    assert file.read_bytes() == text.encode()
    assert os.listdir(file.parent) == [file.name] or client == "claude-code"
    assert not backup_of(file).exists()


@pytest.mark.parametrize("client", LINUX)
def test_a_file_that_is_missing_is_made_and_its_entry_starts_the_server(
    client: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    data = shell.folder / "of my own"
    assert shell.run("setup", client, DATA_DIR=str(data)).code == 0
    assert mode_of(file) == 0o600
    entry = entry_in(file)
    command = entry["command"]
    if client != "opencode":  # which has one list for both
        command = [command, *entry["args"]]
    is_local = client in ("opencode", "copilot-cli")
    assert entry.get("type", "stdio") == ("local" if is_local else "stdio")
    assert variables_in(file)["ENRICHMENT_DATA_DIR"] == str(data)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)} | variables_in(file)
    started = subprocess.run(
        command,
        env=environment, cwd="/", input=HELLO, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(started.stdout)["result"]["serverInfo"]["name"] == "mcp-enrichment"
    assert shell.run("setup", client, "--undo").code == 0
    assert not file.exists()
    assert not backup_of(file).exists()


HELLO = json.dumps({
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}) + "\n"  # fmt: skip


def test_a_second_time_changes_nothing_and_what_others_wrote_since_is_kept(
    cursor: Path, shell: Shell
) -> None:
    before = cursor.read_text()
    shell.run("setup", "cursor")
    changed = cursor.read_text()
    assert "already" in shell.run("setup", "cursor").out
    assert cursor.read_text() == changed
    cursor.write_text(changed.replace('"dark"', '"light"'))
    assert shell.run("setup", "cursor", RATE_LIMIT="60").code == 0
    assert backup_of(cursor).read_text() == before
    shell.run("setup", "cursor", "--undo")
    assert cursor.read_text() == before.replace('"dark"', '"light"')


def test_additions_of_the_user_to_our_entry_are_kept(cursor: Path, shell: Shell) -> None:
    by_hand = '{"mcpServers": {"enrichment": {"command": "/gone/mcp-enrichment", "timeout": 9, "env": {"ENRICHMENT_API_KEY": "sk-by-hand"}}}}'  # fmt: skip  # noqa: E501
    cursor.write_text(by_hand)
    assert shell.run("setup", "cursor", **NO_FOLDERS, LOG_LEVEL="INFO").code == 0
    entry = entry_in(cursor)
    assert Path(entry["command"]).exists()
    assert entry["timeout"] == 9
    assert entry["env"] == {"ENRICHMENT_API_KEY": "sk-by-hand", "ENRICHMENT_LOG_LEVEL": "INFO"}
    changed = cursor.read_text()
    shell.run("setup", "cursor", "--undo")
    assert cursor.read_text() == by_hand
    backup_of(cursor).write_text(by_hand)
    cursor.write_text(changed.replace("{", '{"theme": "dark", ', 1))
    shell.run("setup", "cursor", "--undo")
    assert entry_in(cursor) == json.loads(by_hand)["mcpServers"]["enrichment"]
    assert '"theme": "dark"' in cursor.read_text()


@pytest.mark.parametrize(
    ("client", "broken"),
    [
        ("cursor", '{\n  "mcpServers": {\n'),
        ("codex", "model = \n"),
        ("vscode", '{"servers": []}'),
        ("windsurf", "\xff\xfe"),
        ("claude-code", '{"mcpServers": {"enrichment": {"command": "of-somebody-else"}}}'),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_refused_and_left(
    client: str, broken: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    file.write_bytes(broken.encode("latin-1"))
    assert "Nothing was changed" in shell.run("setup", client).refused()
    assert file.read_bytes() == broken.encode("latin-1")
    assert not backup_of(file).exists()
    shell.run("setup", client, "--undo").refused()
    assert file.read_bytes() == broken.encode("latin-1")


def test_a_client_that_never_ran_here_is_reported(home: Path, shell: Shell) -> None:
    (home / ".cursor").rmdir()
    assert "--config FILE" in shell.run("setup", "cursor").refused()
    assert not (home / ".cursor").exists()
    project = home / "mcp.json"
    assert shell.run("setup", "cursor", "--config", str(project)).code == 0
    assert entry_in(project)["command"]


def test_without_an_entry_there_is_nothing_to_undo(cursor: Path, shell: Shell) -> None:
    before = cursor.read_text()
    assert "no entry for this server" in shell.run("setup", "cursor", "--undo").refused()
    assert cursor.read_text() == before


def test_the_key_is_written_only_when_that_is_said_and_never_shown(
    home: Path, shell: Shell
) -> None:
    file, key = home / LINUX["vscode"][0], "sk-planted"
    settings = NO_FOLDERS | {"API_KEY": key}
    undecided, *told = (
        shell.run("setup", "vscode", *options, **settings)
        for options in ([], ["--print", "--with-key"])
    )
    assert "--with-key" in undecided.refused(code=2)
    assert not file.exists()
    assert "(not shown)" in told[0].out
    told.append(shell.run("setup", "vscode", "--without-key", **settings))
    assert entry_in(file).get("env") is None
    told.append(shell.run("setup", "vscode", "--with-key", **settings))
    entry = entry_in(file)
    assert entry["env"] == {"ENRICHMENT_API_KEY": key}
    assert key not in " ".join([entry["command"], *entry["args"]])
    assert all(key not in done.out + done.err for done in told)


def test_a_folder_that_is_missing_and_a_link_to_itself_are_reported(
    home: Path, shell: Shell
) -> None:
    project = home / "project" / ".cursor" / "mcp.json"
    assert "is missing" in shell.run("setup", "cursor", "--config", str(project)).refused()
    circle = home / "circle.json"
    circle.symlink_to(circle)
    assert "leads to itself" in shell.run("setup", "cursor", "--config", str(circle)).refused()


def test_a_device_and_a_pipe_are_no_configuration_and_stay(home: Path, shell: Shell) -> None:
    pipe = home / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, home):
        told = shell.run("setup", "cursor", "--config", str(place))
        assert told.code, told
    assert pipe.is_fifo()


def test_print_and_undo_exclude_each_other(home: Path, shell: Shell) -> None:
    shell.run("setup", "cursor")
    file = home / LINUX["cursor"][0]
    before = file.read_text()
    assert "give one of them" in shell.run("setup", "cursor", "--undo", "--print").err
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("client", "content"),
    [
        ("cursor", '{"a": ' + "1" * 5000 + "}"),
        ("codex", "a = " + "1" * 5000),
        ("codex", "a = " + "[" * 3000 + "]" * 3000),
    ],
    ids=["long number in JSON", "long number in TOML", "deep TOML"],
)
def test_a_configuration_that_python_cannot_read_is_refused_in_one_sentence(
    home: Path, shell: Shell, client: str, content: str
) -> None:
    file = home / LINUX[client][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    assert str(file) in shell.run("setup", client).refused()
    assert file.read_text() == content


def test_print_shows_what_would_be_written_and_changes_nothing(home: Path, shell: Shell) -> None:
    for client in ("claude-code", "codex"):
        shown = shell.run("setup", client, "--print").out
        file = home / LINUX[client][0]
        assert not file.exists()
        shell.run("setup", client)
        assert file.read_text() == shown


def test_run_from_its_source_the_entry_imports_from_no_folder_that_it_happens_to_start_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    interpreter = home / "python3"
    interpreter.symlink_to(sys.executable)
    command = [interpreter, "-m", "mcp_enrichment", "setup", "cursor", "--print"]
    shown = subprocess.run(command, check=True, capture_output=True, cwd="/")
    entry = json.loads(shown.stdout)["mcpServers"]["enrichment"]
    assert entry == {"command": str(interpreter), "args": ["-P", "-m", "mcp_enrichment"]}


def test_a_link_stays_a_link(cursor: Path, home: Path, shell: Shell) -> None:
    kept_elsewhere = home / "dotfiles.json"
    cursor.rename(kept_elsewhere)
    cursor.symlink_to(kept_elsewhere)
    assert shell.run("setup", "cursor").code == 0
    assert cursor.is_symlink()
    assert "mcp-enrichment" in kept_elsewhere.read_text()


def test_a_change_by_another_program_meanwhile_is_not_overwritten(cursor: Path) -> None:
    read = config_file.read(cursor)
    cursor.write_text("{}")
    with pytest.raises(SetupError, match="another program"):
        read.change(b'{"mcpServers": {}}', backup=b"{}")
    assert cursor.read_text() == "{}"
    assert os.listdir(cursor.parent) == [cursor.name]
