"""The commands of docs/privacy.md work, and its settings and defaults exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from mcp_enrichment.settings import Settings
from tests.support.forks import by_fork
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (ROOT / "docs" / "privacy.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ mcp-enrichment (.*)$", TEXT, re.MULTILINE)
SAMPLE = ROOT / "mcp_enrichment" / "data" / "Connections.csv"


def test_every_setting_of_the_privacy_page_exists() -> None:
    named = set(re.findall(r"ENRICHMENT_([A-Z_]+)", TEXT))
    assert named <= {name.upper() for name in Settings.model_fields}
    defaults = re.findall(r"`ENRICHMENT_(\w+)`[^|\d]*: (\d+) days", TEXT)
    assert {name for name, _ in defaults} == {"ANSWER_DAYS", "MEMORY_DAYS"}
    for name, days in defaults:
        assert Settings.model_fields[name.lower()].default == int(days)


def test_every_command_that_it_explains_exists() -> None:
    from mcp_enrichment.cli.privacy import privacy

    explained = set(re.findall(r"^\*\*`(\w+)`\*\*", TEXT, re.MULTILINE))
    run = {shlex.split(command)[1] for command in COMMANDS}
    assert run == set(privacy.commands) == explained | {"list", "lift"}


def test_the_privacy_pages_commands_work_one_after_the_other(tmp_path: Path) -> None:
    home = {"ENRICHMENT_DATA_DIR": str(tmp_path), "ENRICHMENT_STATE_DIR": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "mcp_enrichment", *arguments]
        environment = os.environ | home | {"PYTHONUTF8": "1"}
        with by_fork():
            done = subprocess.run(command, env=environment, check=True, capture_output=True)
        return done.stdout.decode()

    run("contacts", "import", str(SAMPLE))
    said = {shlex.split(c)[1]: run(*shlex.split(c)) for c in COMMANDS}
    assert said["suppress"] == "Suppressed.\n"
    assert json.loads(said["export"])["contacts"][0]["first_name"] == "Ada"
    assert said["erase"].startswith("contacts: 1\n")
    assert len(said["list"].splitlines()) == 2, "the profile and its address"
    assert said["audit"].split("\t")[2] == "erase"
    assert said["lift"] == "Lifted.\n"
