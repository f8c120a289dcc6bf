"""`mcp-enrichment setup` writes, shows or leaves no secret unless an option says so."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_setup import (
    LINUX,
    NO_FOLDERS,
    backup_of,
    cursor,
    entry_in,
    home,
    mode_of,
    pytestmark,
    variables_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Shell

__all__ = ["cursor", "home", "pytestmark"]
SECRETS = {
    "DATABASE_URL": "postgresql://ada:planted-1@db.example/enrichment",
    "PRIVACY_KEY": "planted-2" * 4,
    "HTTP_SECRET": "planted-3" * 4,
    "PUSH_SECRETS": "whsec_" + "cGxhbnRlZC0x" * 3,
    "HUNTER_API_KEY": "planted-4",
}


@pytest.mark.parametrize("client", ["cursor", "codex", "opencode"])
def test_every_secret_is_a_key_and_what_stdio_does_not_use_is_left_out(
    client: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    for name in ("DATABASE_URL", "PRIVACY_KEY"):
        undecided = shell.run("setup", client, **{name: SECRETS[name]})
        assert f"ENRICHMENT_{name}" in undecided.refused(code=2)
        assert shell.run("setup", client, "--without-key", **NO_FOLDERS, **SECRETS).code == 0
        assert variables_in(file) == {}
    settings = NO_FOLDERS | SECRETS | {"SOURCES": "contacts,hunter"}
    shown = shell.run("setup", client, "--print", "--with-key", **settings)
    assert "planted" not in shown.out + shown.err
    assert shell.run("setup", client, "--with-key", **settings).code == 0
    kept = {"DATABASE_URL", "PRIVACY_KEY", "HUNTER_API_KEY", "SOURCES"}
    assert variables_in(file) == {f"ENRICHMENT_{name}": settings[name] for name in kept}


def test_an_entry_that_could_not_start_for_want_of_a_vendors_key_is_not_written(
    home: Path, shell: Shell
) -> None:
    hunter = {"SOURCES": "contacts,hunter", "HUNTER_API_KEY": "planted-4"}
    assert "HUNTER_API_KEY" in shell.run("setup", "cursor", **hunter).refused(code=2)
    missing = shell.run("setup", "cursor", "--without-key", **hunter)
    assert "ENRICHMENT_HUNTER_API_KEY_FILE" in missing.err
    assert missing.code == 2
    assert not (home / LINUX["cursor"][0]).exists()
    (home / "hunter.key").write_text("planted-4")
    in_a_file = {"SOURCES": "contacts,hunter", "HUNTER_API_KEY_FILE": str(home / "hunter.key")}
    assert shell.run("setup", "cursor", **in_a_file).code == 0


@pytest.mark.parametrize("client", ["cursor", "codex", "opencode"])
def test_without_key_removes_the_keys_of_an_earlier_entry_and_says_what_stays(
    client: str, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    earlier = {"API_KEY": "sk-planted", "API_URL": "https://team.example", "PRIVACY_KEY": "k" * 32}
    shell.run("setup", client, "--with-key", **NO_FOLDERS, **earlier)
    file.write_text(file.read_text().replace("ENRICHMENT_PRIVACY_KEY", "OF_ANOTHER_PROGRAM"))
    told = shell.run("setup", client, "--without-key", **NO_FOLDERS)
    assert told.code == 0
    assert "ENRICHMENT_API_URL" in told.err
    assert variables_in(file) == {
        "ENRICHMENT_API_URL": "https://team.example",
        "OF_ANOTHER_PROGRAM": "k" * 32,
    }


def test_a_file_that_is_given_a_key_is_its_owners_alone(cursor: Path, shell: Shell) -> None:
    cursor.chmod(0o644)
    assert shell.run("setup", "cursor", "--with-key", API_KEY="sk-planted").code == 0
    assert mode_of(cursor) == 0o600


def test_a_password_in_the_services_url_is_a_secret(cursor: Path, shell: Shell) -> None:
    url = {"API_URL": "https://ada:planted-5@enrichment.example.com", **NO_FOLDERS}
    assert "ENRICHMENT_API_URL" in shell.run("setup", "cursor", **url).refused(code=2)
    assert shell.run("setup", "cursor", "--without-key", **url).code == 0
    assert "planted" not in cursor.read_text()
    assert "planted" not in shell.run("setup", "cursor", "--print", "--with-key", **url).out


BY_HAND = {
    "cursor": '{"mcpServers": {"enrichment": {"command": "/gone/mcp-enrichment", "timeout": 9, '
    '"env": {"ENRICHMENT_API_KEY": "sk-planted", "HTTP_PROXY": "http://proxy.example"}}}, "a": 1}',
    "codex": 'a = 1 # mine\n\n[mcp_servers.enrichment]\ncommand = "/gone/mcp-enrichment"\n'
    'timeout = 9\nenv = { ENRICHMENT_API_KEY = "sk-planted", HTTP_PROXY = "http://proxy" }\n',
}


def everything_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


@pytest.mark.parametrize("client", BY_HAND)
@pytest.mark.parametrize("set_up_before", [False, True])
def test_without_key_leaves_the_key_in_no_copy_and_loses_nothing_else(
    client: str, set_up_before: bool, home: Path, shell: Shell
) -> None:
    file = home / LINUX[client][0]
    file.write_text(BY_HAND[client])
    if set_up_before:
        shell.run("setup", client, **NO_FOLDERS)
        assert "sk-planted" in backup_of(file).read_text()
    told = shell.run("setup", client, "--without-key", **NO_FOLDERS)
    assert told.code == 0, told
    assert "sk-planted" not in everything_in(file.parent)
    assert entry_in(file)["timeout"] == 9
    assert shell.run("setup", client, "--undo").code == 0
    assert "sk-planted" not in everything_in(file.parent)
    load = tomllib.loads if client == "codex" else json.loads
    expected = load(BY_HAND[client])
    next(v for k, v in expected.items() if "ervers" in k)["enrichment"]["env"].pop(
        "ENRICHMENT_API_KEY"
    )
    assert load(file.read_text()) == expected
    assert client != "codex" or file.read_text().startswith("a = 1 # mine")


def test_a_copy_that_cannot_be_read_is_not_left_with_a_key(cursor: Path, shell: Shell) -> None:
    shell.run("setup", "cursor", "--with-key", API_KEY="sk-planted")
    before = cursor.read_text()
    backup_of(cursor).write_text('{"sk-planted')
    told = shell.run("setup", "cursor", "--without-key", **NO_FOLDERS).refused()
    assert f"{backup_of(cursor)} cannot be read" in told
    assert "Delete it" in told
    assert cursor.read_text() == before
