"""`mcp-enrichment setup` handles configurations as editors and shells write them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.setup import config_file
from tests.cli.test_setup import LINUX, NO_FOLDERS, backup_of, entry_in, home, pytestmark

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_an_entry_behind_a_byte_order_mark_is_written_again(home: Path, shell: Shell) -> None:
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


def test_cline_is_told_to_wait_for_the_server_unless_its_owner_decided_otherwise(
    home: Path, shell: Shell
) -> None:
    file = home / LINUX["cline"][0]
    shell.run("setup", "cline", **NO_FOLDERS)
    assert entry_in(file)["timeout"] == 60
    file.write_text(file.read_text().replace('"timeout": 60', '"timeout": 90'))
    shell.run("setup", "cline", **NO_FOLDERS, LOG_LEVEL="info")
    assert entry_in(file)["timeout"] == 90


CODEX = {
    "a nan": "a = nan\n[tui]\nb = [-nan, 1.5]\n",
    "a number that is too large": "a = 1e400\nb = -1e400\n",
}


@pytest.mark.parametrize("text", CODEX.values(), ids=CODEX)
def test_unusual_numbers_of_codex_stay_as_they_are(text: str, home: Path, shell: Shell) -> None:
    file = home / LINUX["codex"][0]
    file.write_text(text)
    assert shell.run("setup", "codex").code == 0
    assert file.read_text().startswith(text)
    assert entry_in(file)["command"]
    assert shell.run("setup", "codex", "--undo").code == 0
    assert file.read_text() == text


REFUSED = {
    "codex": ("a = 1\na = 2\n", "line 2 repeats a key"),
    "cursor": ('{"a": 1e400}\n', "a number is too large"),
}


@pytest.mark.parametrize("client", REFUSED)
def test_a_file_that_would_lose_something_is_named_with_the_remedy(
    client: str, home: Path, shell: Shell
) -> None:
    file, (text, fault) = home / LINUX[client][0], REFUSED[client]
    file.write_text(text)
    told = shell.run("setup", client).refused()
    assert str(file) in told
    assert f"{fault}. Nothing was changed. Correct it, or add by hand what --print shows." in told
    assert file.read_text() == text


@pytest.fixture
def full_disk(home: Path) -> Iterator[Path]:
    """Cursor's configuration on a disk of 64 KiB, with room for its copy or its change alone."""
    file = home / LINUX["cursor"][0]
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(file.parent)]
    if not mount or not umount or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield file
    subprocess.run([umount, str(file.parent)], check=True)


@pytest.mark.parametrize("kib", [22, 36], ids=["room for a copy", "no room"])
def test_a_full_disk_is_reported_as_such_and_nothing_stays(
    kib: int, full_disk: Path, shell: Shell
) -> None:
    before = json.dumps({"filler": "x" * (kib * 1024)}, indent=2)
    full_disk.write_text(before)
    told = shell.run("setup", "cursor").refused()
    assert "the disk is full. Nothing was changed. Free space and try again." in told
    assert os.listdir(full_disk.parent) == [full_disk.name]
    assert full_disk.read_text() == before


def test_a_change_that_fails_after_its_copy_leaves_neither(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / LINUX["cursor"][0]
    file.write_text("{}")
    read, replace = config_file.read(file), Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target == file:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="busy"):
        read.change(b"{ }", backup=b"{}")
    assert os.listdir(file.parent) == [file.name]
