"""The commands of docs/http.md work, and its settings exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx

from mcp_enrichment.contract.http import BATCH, BATCH_LIMIT
from mcp_enrichment.contract.models import MAX_BATCH, BatchBody, BatchRequest
from mcp_enrichment.settings import Settings
from tests.support.forks import by_fork, popen
from tests.support.fresh_copy import ROOT
from tests.support.waiting import HANG

TEXT = (ROOT / "docs" / "http.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE)


def test_every_setting_of_the_http_page_exists() -> None:
    named = set(re.findall(r"ENRICHMENT_([A-Z_]+)", TEXT))
    assert named <= {name.upper() for name in Settings.model_fields}
    of_http = {name for name in Settings.model_fields if re.match("http_|oauth_|push_", name)}
    assert {name.upper() for name in of_http} - named <= {"OAUTH_JWKS_URL"}


BLOCKS = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)


def test_the_http_page_shows_how_clients_connect() -> None:
    assert [list(json.loads(block)) for block in BLOCKS[:2]] == [["mcpServers"], ["servers"]]
    assert "claude mcp add --transport http" in TEXT


def test_the_http_page_shows_a_batch_and_its_answer() -> None:
    requests, results = BLOCKS[2:]
    assert BatchRequest.model_validate_json(requests, extra="forbid")
    assert BatchBody.model_validate_json(results, extra="forbid").results[0].enrichment
    assert f"POST {BATCH}`" in TEXT
    assert f"{BATCH_LIMIT}: {MAX_BATCH}" in TEXT


def test_the_http_page_tells_what_clients_show_where_they_have_no_key() -> None:
    section = TEXT.partition("## Clients without a key")[2].partition("## Who may call")[0]
    assert section.count("Authorization") == 3
    assert "Dynamic Client Registration rejected (404)" in section


def test_the_http_pages_proxy_passes_the_host_on_with_its_port() -> None:
    assert set(re.findall(r"proxy_set_header Host (\S+);", TEXT)) == {"$http_host"}


def test_the_http_pages_commands_work_one_after_the_other(tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "mcp-enrichment")
    home = {"ENRICHMENT_DATA_DIR": str(tmp_path), "ENRICHMENT_STATE_DIR": str(tmp_path)}
    *first, last = (
        [program if word == "mcp-enrichment" else word for word in shlex.split(command)]
        for command in COMMANDS
    )
    with by_fork():
        for command in first:
            subprocess.run(command, env=os.environ | home, check=True, capture_output=True)
    serving = [*last, "--port", "0"]
    with popen(serving, env=os.environ | home, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr
            said = re.search(r"Serving MCP on (http://\S+)/mcp", process.stderr.readline().decode())
            assert said
            assert httpx.get(f"{said[1]}/health", timeout=HANG).is_success
            process.terminate()
            assert process.wait(timeout=HANG) == 0
        finally:
            process.kill()
