"""The table, the command and the figures of docs/sources.md are right."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from mcp_enrichment.app.service import EMBEDDED_STOP_SECONDS
from mcp_enrichment.contract.http import MAX_RETRY_AFTER
from mcp_enrichment.service.lookup import circuit_breaker, lookup_job, vendor_calls
from mcp_enrichment.settings import Settings
from tests.support.fresh_copy import ROOT
from tests.support.generated_docs import with_tables

TEXT = (ROOT / "docs" / "sources.md").read_text("utf-8")


def test_the_sources_pages_table_is_what_the_code_says() -> None:
    assert with_tables(TEXT) == TEXT, "run `python3 tasks.py docs`"


def test_every_setting_of_the_sources_page_exists() -> None:
    named = set(re.findall(r"ENRICHMENT_([A-Z_]+)", TEXT)) - {""}
    of_vendors = {name for name in named if name.startswith("HUNTER_API_KEY")}
    assert named - of_vendors <= {name.upper() for name in Settings.model_fields}


def test_the_sources_pages_command_works(tmp_path: Path) -> None:
    (command,) = re.findall(r"^\$ mcp-enrichment (.*)$", TEXT, re.MULTILINE)
    program = str(Path(sys.executable).parent / "mcp-enrichment")
    environment = os.environ | {"ENRICHMENT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [program, *shlex.split(command)], env=environment, check=True, capture_output=True
    )
    assert done.stdout.startswith(b"1. contacts\tready")


def test_the_figures_of_the_sources_page_are_those_of_the_code() -> None:
    flat = " ".join(TEXT.split())
    for said, figure in [
        ("fails three times in a row is paused for 30 seconds", (circuit_breaker.FAILURES, 3)),
        ("paused for 30 seconds", (circuit_breaker.PAUSE, 30)),
        ("up to 15 minutes", (circuit_breaker.LONGEST_PAUSE, 15 * 60)),
        ("for 15 minutes, then for up to four hours", (circuit_breaker.REFUSAL_PAUSE, 15 * 60)),
        ("up to four hours", (circuit_breaker.LONGEST_REFUSAL_PAUSE, 4 * 3600)),
        ("for up to ten minutes", (vendor_calls.WORKING_SECONDS, 600)),
        ("lost 95 seconds later", (vendor_calls.ABANDONED_SECONDS, 95)),
        ("five times in all", (lookup_job.MAX_SOURCE_ATTEMPTS, 5)),
        ("more than two minutes is not waited for;", (lookup_job.LONGEST_WAIT, 120)),
        (
            "once an address is kept, the limit is one minute",
            (lookup_job.LONGEST_WAIT_WITH_HIT, 60),
        ),
        ("as long as it asks, up to a day", (MAX_RETRY_AFTER, 86_400)),
        ("allow one second, it waits for a quarter of a second", (EMBEDDED_STOP_SECONDS, 0.25)),
    ]:
        assert said in flat
        assert figure[0] == figure[1]
