"""The page on lists shows what the command prints, and its commands work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.cli import enrich_list, list_lookup, list_output, list_progress, list_table
from mcp_enrichment.mcp import lists
from tests.support.fresh_copy import ROOT
from tests.support.list_service import hit
from tests.support.terminal import terminal

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (ROOT / "docs" / "lists.md").read_text("utf-8")
FLAT = " ".join(TEXT.split())
COMMANDS = re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE)
SHOWN, LONGER = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
SAMPLE = ROOT / "mcp_enrichment" / "data" / "Connections.csv"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX systems")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has imported the sample, with the lists that the page names."""
    programs = os.path.dirname(sys.executable)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ENRICHMENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENRICHMENT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)
    subprocess.run(["mcp-enrichment", "contacts", "import", str(SAMPLE)], check=True)  # noqa: S607
    shutil.copy(SAMPLE, tmp_path / "Connections.csv")
    (tmp_path / "people.csv").write_text(f"Name,Web\nAda,{hit(1)}\n")
    (tmp_path / "urls.txt").write_text(f"{hit(1)}\n{hit(2)}\n")
    return tmp_path


def test_the_first_command_looks_in_a_terminal_as_the_page_shows(home: Path) -> None:
    with (
        terminal(100) as (screen, end),
        subprocess.Popen(
            ["sh", "-c", COMMANDS[0]],  # noqa: S607
            cwd=home,
            # Without it the process would get COLUMNS too, which readline has set below Python.
            env=dict(os.environ),
            stdin=end,
            stdout=end,
            stderr=end,
        ) as process,
    ):
        end.close()
        screen.read_until("[y/N]")
        screen.type("y\n")
        shown = screen.read_until()
    assert process.returncode == 0
    lines = [line.split("\r")[-1] for line in shown.replace("\r\n", "\n").split("\n")]
    assert "\n".join(line for line in lines if not line.startswith("Reading")) == SHOWN


def test_the_other_commands_work(home: Path) -> None:
    assert len(COMMANDS) == 3
    for command in COMMANDS[1:]:
        subprocess.run(["sh", "-c", command], cwd=home, check=True)  # noqa: S607
    assert len((home / "found.jsonl").read_text().splitlines()) == 1
    assert len((home / "answers.csv").read_text().splitlines()) == 3


def test_the_longer_bar_has_the_form_of_the_real_one() -> None:
    bar = re.fullmatch(
        r"━+╸ +(\d+)/(\d+)  found (\d+)  missed (\d+)  open (\d+)  spent (\d+) \d\d:\d\d left\n",
        LONGER,
    )
    assert bar
    done, total, found, missed, still_open, spent = map(int, bar.groups())
    assert (found + missed, done + still_open, spent) == (done, total, found)
    assert len(LONGER) == len(max(SHOWN.splitlines(), key=len)) + 1 == 101


def test_the_columns_states_and_figures_of_the_page_are_those_of_the_code() -> None:
    table = TEXT.partition("| column |")[2].partition("\n\n")[0]
    named = re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    assert tuple(named) == list_output.ADDED
    for state in (list_table.OPEN, list_table.INVALID, lists.NOT_REQUESTED, lists.ERROR):
        assert f"`{state}`" in table
    codes = re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)
    assert codes == ["0", "1", "2", str(enrich_list.EXIT_OPEN), str(enrich_list.EXIT_INTERRUPTED)]
    assert f"below {list_progress.NARROW} columns" in FLAT
    assert f"first {list_output.TABLE_ROWS:,} people" in FLAT
    assert f"for {list_lookup.IDLE_SECONDS / 60:.0f} minutes" in FLAT
    options = {field.name for field in fields(enrich_list.ListOptions)}
    assert {"out", "max_credits"} < options
