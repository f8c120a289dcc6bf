"""The section of docs/vendors.md on spending shows what the command prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from mcp_enrichment.service.reports.source_order import DRAWS, INTERVAL, MIN_ANSWERED
from tests.support.fresh_copy import ROOT
from tests.support.spending_history import PRICES, SETTINGS, store_history

TEXT = (ROOT / "docs" / "vendors.md").read_text("utf-8")
SECTION = TEXT.partition("## What they cost you\n")[2].partition("\n## ")[0]


def test_the_command_prints_what_the_page_shows_with_the_settings_of_the_page(
    tmp_path: Path,
) -> None:
    store_history(tmp_path / "enrichment.db")
    assert dict(re.findall(r"^export ENRICHMENT_(\w+)=(.*)$", SECTION, re.MULTILINE)) == PRICES
    given = {"DATA_DIR": str(tmp_path)} | SETTINGS | PRICES
    (command,) = re.findall(r"^\$ mcp-enrichment (.*)$", SECTION, re.MULTILINE)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "mcp-enrichment"), *shlex.split(command)],
        env=os.environ | {f"ENRICHMENT_{name}": value for name, value in given.items()},
        check=True,
        capture_output=True,
    )
    assert f"```text\n{done.stdout.decode()}```" in SECTION


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    flat = " ".join(SECTION.split())
    assert f"holds in {INTERVAL * 100:.0f} % of {DRAWS:,} draws" in flat
    assert f"source needs {MIN_ANSWERED} answers" in flat
