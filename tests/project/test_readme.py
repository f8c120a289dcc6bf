"""The README's tables and configurations are right, and each of its commands works."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mcp_enrichment.mcp import prompts, resources
from tests.support.forks import by_fork
from tests.support.fresh_copy import ROOT, fresh_copy
from tests.support.generated_docs import README, with_tables
from tests.support.waiting import HANG, until_listening

README_TEXT = README.read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", README_TEXT, re.MULTILINE)
INSTALL_TEXT = (ROOT / "docs" / "install.md").read_text("utf-8")
BY_HAND = re.sub(r"<!-- generated: clients.*?/generated -->", "", INSTALL_TEXT, flags=re.DOTALL)
"""The page without the entries that `setup` writes, which are compared with what it writes."""
JSON_BLOCKS = re.findall(r"```json\n(.*?)```", README_TEXT + BY_HAND, re.DOTALL)
BIN = Path(sys.executable).parent

AT_HOME = [c for c in COMMANDS if c.startswith("mcp-enrichment") and not c.endswith("service")]
ON_A_FRESH_MACHINE = ["python3 tasks.py demo", "pip install ."]
ELSEWHERE = ["python3 tasks.py test", "mcp-enrichment service"]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with separate folders, and our command on the PATH."""
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "ENRICHMENT_DATA_DIR": str(tmp_path / "data"),
        "ENRICHMENT_STATE_DIR": str(tmp_path / "state"),
    }


def test_the_tables_are_what_the_code_says() -> None:
    assert with_tables(README_TEXT) == README_TEXT, "run `python3 tasks.py docs`"


def test_the_readme_names_what_is_served_beside_the_tools() -> None:
    for named in (prompts.NAME, resources.CREDITS, f"{resources.SCHEME}{{id}}"):
        assert f"`{named}`" in README_TEXT


def test_the_readme_is_short() -> None:
    assert len(README_TEXT.splitlines()) <= 150
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 120


def test_every_command_is_run_by_a_test() -> None:
    assert sorted(COMMANDS) == sorted(AT_HOME + ON_A_FRESH_MACHINE + ELSEWHERE)


def test_ci_runs_the_readmes_second_command() -> None:
    assert "python3 tasks.py test" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_commands_work_one_after_the_other(home: dict[str, str]) -> None:
    with by_fork():
        printed = [
            subprocess.run(
                shlex.split(c), env=home, cwd=ROOT, check=True, capture_output=True, text=True
            ).stdout
            for c in AT_HOME
        ]
    assert "ada.okafor@example.com" in "".join(printed)


def test_the_service_answers_on_the_port_it_names(
    home: dict[str, str],
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    imports = next(c for c in AT_HOME if " import " in c)
    adds, creates = (next(c for c in AT_HOME if what in c) for what in (" teams ", " keys "))
    for first in (imports, adds, creates):
        with by_fork():
            done = subprocess.run(
                shlex.split(first), env=home, cwd=ROOT, check=True, capture_output=True, text=True
            )
    key = done.stdout.strip()
    command = ["mcp-enrichment", "service", "--port", str(port)]
    process = subprocess.Popen(command, env=home)
    try:
        until_listening(port)
        where = f"http://127.0.0.1:{port}/v1/api/enrichment/credits"
        asked = urllib.request.Request(where, headers={"x-api-key": key})
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer) == {"balance": 100, "held": 0}
    finally:
        process.terminate()
        process.wait(timeout=HANG)


@pytest.mark.parametrize("text", JSON_BLOCKS)
def test_each_configuration_starts_the_server(text: str, home: dict[str, str]) -> None:
    assert_starts(json.loads(text), home)


def test_the_example_configuration_starts_the_server(home: dict[str, str]) -> None:
    assert_starts(json.loads((ROOT / "claude_config.example.json").read_text("utf-8")), home)


def test_the_line_for_claude_code_starts_the_server(home: dict[str, str]) -> None:
    line = re.search(r"^claude mcp add .* -- (.*)$", README_TEXT, re.MULTILINE)
    assert line
    command, *args = shlex.split(line[1])
    assert_starts({"mcpServers": {"enrichment": {"command": command, "args": args}}}, home)


@pytest.mark.installs
def test_the_first_command_works_on_a_fresh_clone(tmp_path: Path) -> None:
    clone = fresh_copy(tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    demo = [sys.executable, *shlex.split(ON_A_FRESH_MACHINE[0])[1:]]
    done = subprocess.run(demo, cwd=clone, env=env, check=True, capture_output=True, text=True)
    for said in ("ada.okafor@example.com", "jonas.weiss@freemail.example", "not-found"):
        assert said in done.stdout
    balances = re.findall(r"balance: (\d+)", done.stdout)
    assert balances == ["250", "248"]
    pip = [str(clone / ".venv" / "bin" / "python"), "-m", "pip", "install", "--no-deps", "."]
    subprocess.run(pip, cwd=clone, env=env, check=True, capture_output=True)


def assert_starts(
    configuration: dict[str, dict[str, dict[str, object]]], home: dict[str, str]
) -> None:
    """The command in a client's configuration answers `initialize`."""
    servers = next(iter(configuration.values()))
    (entry,) = servers.values()
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        env=home | dict(entry.get("env", {})),
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        timeout=HANG,
        check=True,
    )
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "mcp-enrichment"
