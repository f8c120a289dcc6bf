"""Claude Code accepts the plugin and its marketplace, and installs both, without a login."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment import PROGRAM, __version__
from tests.compat.toolbox import Ended, Toolbox, ran
from tests.support.fresh_copy import ROOT, fresh_copy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.compat

PACKAGE = "@anthropic-ai/claude-code@^2.1"
PLUGIN = ROOT / "packaging" / "claude-plugin"


@pytest.fixture
def claude(tools: Toolbox, tmp_path: Path) -> Callable[..., Ended]:
    """Runs `claude plugin` with these arguments, in a fresh home folder."""
    program = str(tools.npm(PACKAGE) / "node_modules" / ".bin" / "claude")
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    return lambda *arguments: ran(program, "plugin", *arguments, env=env)


@pytest.mark.parametrize("folder", [ROOT, PLUGIN], ids=["marketplace", "plugin"])
def test_the_manifests_are_valid_without_a_warning(
    claude: Callable[..., Ended], folder: Path
) -> None:
    ended = claude("validate", "--strict", str(folder))
    assert ended.code == 0, ended


def test_a_user_installs_the_server_and_the_skill_from_the_repository(
    claude: Callable[..., Ended], tmp_path: Path
) -> None:
    repository = fresh_copy(tmp_path / "repository")
    for arguments in (["marketplace", "add", str(repository)], ["install", f"{PROGRAM}@{PROGRAM}"]):
        ended = claude(*arguments)
        assert ended.code == 0, ended
    listed = json.loads(claude("list", "--json").out)
    [installed] = [one for one in listed if one["id"] == f"{PROGRAM}@{PROGRAM}"]
    assert (installed["version"], installed["enabled"]) == (__version__, True)
    entry = {"command": "uvx", "args": [PROGRAM]}
    assert installed["mcpServers"] == {"enrichment": entry}
    assert "find-emails" in claude("details", PROGRAM).out
