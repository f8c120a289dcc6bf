"""`mcp-enrichment setup` handles configurations as editors and shells write them."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_setup import LINUX, NO_FOLDERS, backup_of, entry_in, home, pytestmark

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Shell

__all__ = ["home", "pytestmark"]
BOM = b"\xef\xbb\xbf"
PLAIN = b'{\r\n  "mcpServers": {\r\n    "other": {"command": "other"}\r\n  }\r\n}\r\n'
COMMENTED = """\
{
  // My servers: keep them in this order.
  "%s": {
    "other": { "command": "other", "env": { "TOKEN": "its-secret" } }, // the other
  },
  "theme": "dark", /* never light */
}
"""
FOR_EDITORS = {
    "a comment": '{\n  // mine\n  "mcpServers": {}\n}\n',
    "a comma at the end": '{\n  "mcpServers": {},\n}\n',
}


@pytest.mark.parametrize("client", ["claude-desktop", "codex"])
def test_a_byte_order_mark_is_dropped_and_comes_back_with_undo(
    client: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    before = BOM + (PLAIN if client == "claude-desktop" else b'model = "o3"\n')
    file.write_bytes(before)
    assert shell.run("setup", client).code == 0
    changed = file.read_bytes()
    assert not changed.startswith(BOM)
    assert (json.loads if file.suffix == ".json" else tomllib.loads)(changed.decode())
    assert shell.run("setup", client, "--undo").code == 0
    assert file.read_bytes() == before


def test_an_entry_that_a_mark_hides_from_its_client_is_written_anew(
    home: Path, shell: Shell
) -> None:
    file = home / LINUX["claude-desktop"][0]
    shell.run("setup", "claude-desktop")
    file.write_bytes(BOM + file.read_bytes())
    assert "Wrote" in shell.run("setup", "claude-desktop").out
    assert json.loads(file.read_text("utf-8"))


@pytest.mark.parametrize("client", ["cursor", "vscode"])
def test_a_file_whose_comments_would_be_lost_is_left_alone_and_the_entry_printed(
    client: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    servers = "servers" if client == "vscode" else "mcpServers"
    file.write_text(COMMENTED % servers)
    told = shell.run("setup", client, **NO_FOLDERS, API_KEY="sk-planted")
    assert "can be changed without loss: it has comments" in told.err
    assert "Nothing was changed" in told.err
    assert json.loads(told.out)[servers]["enrichment"]["command"]
    assert "sk-planted" not in told.out + told.err
    assert file.read_text() == COMMENTED % servers
    assert not backup_of(file).exists()


def test_an_entry_in_a_file_that_has_comments_since_is_left_for_its_owner_to_remove(
    home: Path, shell: Shell
) -> None:
    file = home / LINUX["cursor"][0]
    shell.run("setup", "cursor")
    file.write_text(f"// mine\n{file.read_text()}")
    before = file.read_text()
    assert "remove the entry by hand" in shell.run("setup", "cursor", "--undo").refused()
    assert file.read_text() == before


@pytest.mark.parametrize("style", FOR_EDITORS)
def test_a_file_that_its_client_cannot_read_is_left_alone_and_the_entry_printed(
    style: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX["claude-desktop"][0]
    file.write_text(FOR_EDITORS[style])
    told = shell.run("setup", "claude-desktop", **NO_FOLDERS, API_KEY="sk-planted")
    assert told.code == 1
    assert "comments, or a comma before a bracket" in told.err
    assert "Nothing was changed" in told.err
    assert json.loads(told.out)["mcpServers"]["enrichment"]["command"]
    assert "sk-planted" not in told.out + told.err
    assert file.read_text() == FOR_EDITORS[style]
    assert not backup_of(file).exists()


def test_the_folder_of_a_new_project_is_made_and_no_other(home: Path, shell: Shell) -> None:
    project = home / "project"
    project.mkdir()
    file = project / ".cursor" / "mcp.json"
    assert shell.run("setup", "cursor", "--config", str(file)).code == 0
    assert entry_in(file)["command"]
    far = home / "no" / "such" / "mcp.json"
    assert "is missing" in shell.run("setup", "cursor", "--config", str(far)).refused()
    assert not (home / "no").exists()


def test_before_the_first_run_of_a_client_one_sentence_says_so_and_nothing_of_keys(
    home: Path, shell: Shell
) -> None:
    (home / ".codex").rmdir()
    for options in ([], ["--without-key"]):
        told = shell.run("setup", "codex", *options, API_KEY="sk-1234")
        assert "Codex has no folder" in told.refused()
        assert len(told.err.strip().splitlines()) == 1


def test_codex_is_told_to_wait_for_the_server_unless_its_owner_decided_otherwise(
    home: Path, shell: Shell
) -> None:
    file = home / LINUX["codex"][0]
    shell.run("setup", "codex", **NO_FOLDERS)
    entry = entry_in(file)
    assert (entry["required"], entry["startup_timeout_sec"]) == (True, 30)
    file.write_text(file.read_text().replace("required = true", "required = false"))
    shell.run("setup", "codex", **NO_FOLDERS, LOG_LEVEL=" info\r")
    entry = entry_in(file)
    assert entry["required"] is False
    assert entry["env"] == {"ENRICHMENT_LOG_LEVEL": "info"}
