"""The code and the commands of the documents beside the README run as shown."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from mcp_enrichment.client.results import EnrichmentResult
from mcp_enrichment.service.sources.exports.formats import FIELDS
from mcp_enrichment.setup.clients import CLIENTS
from tests.support.exporters.customers import hubspot
from tests.support.forks import by_fork
from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import needs_package
from tests.support.uv import uv_environment

INSTALL = (ROOT / "docs" / "install.md").read_text("utf-8")
CONTACTS = (ROOT / "docs" / "contacts.md").read_text("utf-8")
LIBRARY = (ROOT / "docs" / "library.md").read_text("utf-8")
RELEASE = (ROOT / "packaging" / "README.md").read_text("utf-8")
COMMAND = re.compile(r"^ *\$ (.*)$", re.MULTILINE)
CODE = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", LIBRARY, re.DOTALL)
EXAMPLES = sorted((ROOT / "examples").glob("with_*.py"))
BIN = Path(sys.executable).parent
SAMPLE = ROOT / "mcp_enrichment" / "data" / "Connections.csv"

IN_TESTS_OF_PACKAGING = [
    "pipx install .",
    "uv tool install .",
    "pip install .",
    'pipx install --force ".[keyring]"',
    "python3 packaging/mcpb/bundle.py dist/mcpb",
    "npx @anthropic-ai/mcpb pack dist/mcpb dist/mcp-enrichment.mcpb",
]


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv's cache and Python, set before the home is moved."""
    for name, value in uv_environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has imported the sample contacts, and has started Cursor once."""
    (tmp_path / ".cursor").mkdir()
    for name, value in {
        "HOME": str(tmp_path),
        "USERPROFILE": str(tmp_path),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "ENRICHMENT_DATA_DIR": str(tmp_path / "data"),
        "ENRICHMENT_STATE_DIR": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    run(f"mcp-enrichment contacts import {shlex.quote(str(SAMPLE))}", tmp_path)
    return tmp_path


def run(command: str, folder: Path, typed: str = "") -> str:
    with by_fork():
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            input=typed,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_code_block_is_followed_by_what_it_prints() -> None:
    assert len(CODE) == LIBRARY.count("```python") == LIBRARY.count("```text") > 0


def test_the_code_of_the_library_page_prints_what_the_page_shows(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    for code, printed in CODE:
        exec(code, {"__name__": "page"})
        assert capsys.readouterr().out == printed


def test_the_table_of_an_answer_has_its_fields() -> None:
    section = LIBRARY.partition("## `EnrichmentResult`")[2].partition("##")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert set(named) == {field.name for field in fields(EnrichmentResult)} | {"is_final"}


def test_the_commands_of_the_install_page_work_one_after_the_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_package("keyring", "keyring")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.keyrings.FileKeyring")
    monkeypatch.setenv("TESTS_KEYRING_FILE", str(home / "keyring.json"))
    ours = [c for c in COMMAND.findall(INSTALL) if c.startswith("mcp-enrichment")]
    assert len(ours) == 6
    for command in ours:
        run(command, home, typed="sk-1\n")
    assert not (home / ".cursor" / "mcp.json").exists()


PICKED = re.findall(
    r"<summary>(.*?)</summary>.*?```sh\n(.*?)\n```.*?`(~/[^`]+)` \(Linux.*?```\w+\n(.*?)```",
    INSTALL,
    re.DOTALL,
)
"""The title, the command, the file and the entry of each client on the install page."""


def test_every_client_that_setup_knows_can_be_picked() -> None:
    assert [title for title, *_ in PICKED] == [client.title for client in CLIENTS.values()]


@pytest.mark.skipif(sys.platform != "linux", reason="its files are Linux's")
@pytest.mark.parametrize(("command", "file", "entry"), [picked[1:] for picked in PICKED])
def test_the_command_of_each_client_writes_the_entry_that_the_page_shows(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, file: str, entry: str
) -> None:
    for variable in ("XDG_CONFIG_HOME", "ENRICHMENT_DATA_DIR", "ENRICHMENT_STATE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    written = home / file.removeprefix("~/")
    written.parent.mkdir(parents=True, exist_ok=True)
    run(command, home)
    full = json.dumps(str(BIN / "mcp-enrichment"))
    assert written.read_text("utf-8") == entry.replace('"mcp-enrichment"', full)


def test_the_install_page_begins_with_what_works_before_a_release() -> None:
    first, later = INSTALL.split("Once a release is published")
    assert "$ pipx install ." in first
    assert "uvx" not in first
    assert "uvx" in later


def test_the_install_page_names_each_client_that_setup_knows() -> None:
    sentence = INSTALL.partition("The clients are ")[2].partition(":")[0]
    assert re.findall(r"`([^`]+)`", sentence) == list(CLIENTS)


def test_each_line_for_a_client_without_setup_names_the_server_and_its_command() -> None:
    by_hand = INSTALL.partition("## Any client, by hand")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([A-Z]?\w[\w ]*) \| (.*) \|$", by_hand, re.MULTILINE))
    del rows["client"]
    assert len(rows) == 2
    for how in rows.values():
        shown = re.findall(r"`([^`]+)`", how)
        entries = [json.loads(part) for part in shown if part.startswith("{")]
        for [servers] in (entry.values() for entry in entries):
            command = servers["enrichment"]["command"]
            assert (command if isinstance(command, list) else [command]) == ["mcp-enrichment"]
        lines = [part for part in shown if " mcp add " in part]
        assert entries or lines
        for line in lines:
            assert re.search(r" enrichment (-- )?mcp-enrichment$", line)


def test_the_commands_of_the_page_on_contacts_work_one_after_the_other(home: Path) -> None:
    shutil.copy(SAMPLE, home / "Connections.csv")
    (home / "hubspot-contacts.csv").write_bytes(hubspot()[0])
    (home / "people.csv").write_text("Profile,Mail\nlinkedin.com/in/pat-example,p@b.example\n")
    imported, shown, stored, mapped, listed = (run(c, home) for c in COMMAND.findall(CONTACTS))
    assert "Stored 8 with an address" in imported
    assert "Would store 200" in shown
    assert "Stored 200" in stored
    assert "Stored 1 with" in mapped
    assert len(listed.splitlines()) == 20


def test_the_page_on_contacts_names_the_fields_of_a_map() -> None:
    fields = CONTACTS.partition("The fields are")[2].partition("\n\n")[0]
    assert set(FIELDS) <= set(re.findall(r"`(\w+)`", fields))


def test_every_other_command_is_run_by_a_test() -> None:
    found = COMMAND.findall(INSTALL) + COMMAND.findall(RELEASE)
    assert [c for c in found if not c.startswith("mcp-enrichment")] == IN_TESTS_OF_PACKAGING


@pytest.mark.installs
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_each_example_finds_the_address_through_the_real_server(
    example: Path, uv: None, home: Path
) -> None:
    command = f"uv run {example.relative_to(ROOT)}"
    assert f"$ {command}\n" in LIBRARY
    assert run(f"uv run {shlex.quote(str(example))}", home) == "It is ada.okafor@example.com.\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_the_dependencies_of_an_example_are_bounded(example: Path) -> None:
    script = re.search(r"# /// script\n(.*?)# ///", example.read_text("utf-8"), re.DOTALL)
    assert script
    needed = tomllib.loads(script[1].replace("# ", ""))["dependencies"]
    assert needed
    assert all(",<" in requirement for requirement in needed)
