"""`mcp-enrichment doctor` finds the entry of each chat client, and starts it once."""

from __future__ import annotations

import json
import stat
import sys
from typing import TYPE_CHECKING, Any

from mcp_enrichment.doctor.clients import client_findings
from mcp_enrichment.setup.clients import CLIENTS
from mcp_enrichment.setup.entry import launch_command, new_entry
from tests.cli.test_setup import LINUX, home, pytestmark

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mcp_enrichment.doctor import Finding

__all__ = ["home", "pytestmark"]


def written(home: Path, client: str, **changes: Any) -> Path:
    """The configuration of a client with our entry, changed in this way."""
    entry = new_entry(CLIENTS[client], launch_command(), {}) | changes
    file = home / LINUX[client][0]
    file.write_text(json.dumps({CLIENTS[client].servers: {"enrichment": entry}}))
    return file


def examined() -> list[Finding]:
    return list(client_findings())


def test_without_any_entry_one_line_says_how_to_write_one(home: Path) -> None:
    (home / LINUX["cursor"][0]).write_text('{"mcpServers": {"other": {"command": "other"}}}')
    [found] = examined()
    assert found.state == "note"
    assert "setup --help" in found.says


def test_each_clients_entry_is_started_with_its_own_settings_and_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENRICHMENT_LOG_LEVEL", "of this terminal, which no client has")
    cursor = written(home, "cursor")
    desktop = written(home, "claude-desktop", env={"ENRICHMENT_API_KEY": "${API_KEY}"})
    told = {found.says.partition(",")[0]: found for found in examined()}
    assert told["Cursor"].state == "ok"
    assert str(cursor) in told["Cursor"].says
    assert told["Claude Desktop"].state == "wrong"
    assert str(desktop) in told["Claude Desktop"].says
    assert "refuses every call: ENRICHMENT_API_KEY: it holds" in told["Claude Desktop"].says


def test_an_entry_whose_command_is_one_list_is_started_with_its_settings_too(home: Path) -> None:
    written(home, "opencode")
    [found] = examined()
    assert found.state == "ok"
    written(home, "opencode", environment={"ENRICHMENT_RATE_LIMIT": "many"})
    [found] = examined()
    assert "refuses every call: ENRICHMENT_RATE_LIMIT" in found.says


def test_a_value_that_the_client_fills_in_is_no_mistake(home: Path) -> None:
    written(home, "vscode", env={"ENRICHMENT_API_KEY": "${input:key}"})
    [found] = examined()
    assert found.state == "ok"


def test_an_entry_whose_command_is_gone_or_is_another_is_reported(home: Path) -> None:
    written(home, "cursor", command=str(home / "gone" / "mcp-enrichment"))
    other = home / "mcp-enrichment"
    other.write_text(f"#!{sys.executable}\nprint('hello')\n")
    other.chmod(stat.S_IRWXU)
    written(home, "windsurf", command=str(other))
    gone, another = examined()
    assert "missing" in gone.says
    assert "`mcp-enrichment setup cursor`" in gone.says
    assert "does not answer as this server" in another.says


def test_a_configuration_that_its_client_cannot_read_is_reported(home: Path) -> None:
    file = home / LINUX["claude-desktop"][0]
    file.write_text('{"mcpServers": {}, // mine\n}')
    [found] = examined()
    assert found.state == "wrong"
    assert f"Claude Desktop cannot read {file}" in found.says
