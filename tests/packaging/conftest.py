"""The package as users get it: built from the tracked files, installed outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fresh_copy import fresh_copy
from tests.support.optional_tools import needs_program
from tests.support.uv import uv_environment, uv_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MCPB = "@anthropic-ai/mcpb@2.1.2"
LIST_TOOLS = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


@dataclass(frozen=True)
class Outside:
    """A user's machine: a separate home, and nothing of the checkout's environment."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        ours = ("ENRICHMENT_", "PYTHONPATH", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return kept | {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "PIPX_HOME": str(self.home / "pipx"),
            "PIPX_BIN_DIR": str(self.home / "bin"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PIP_NO_COMPILE": "1",  # most of what is installed is never imported here
            **uv_environment(),
        }

    def run(self, *command: str | Path, typed: str = "", **environment: str) -> str:
        """Run a command, which must succeed; return its output."""
        done = self.tried(*command, typed=typed, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(
        self, *command: str | Path, typed: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command], cwd=self.home, env=self.environment | environment,
            input=typed, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip

    def tools_of(self, *command: str | Path, **environment: str) -> list[str]:
        """The names of the tools of a server that is started with this command."""
        answer = self.run(*command, typed=json.dumps(LIST_TOOLS) + "\n", **environment)
        listed: list[dict[str, Any]] = json.loads(answer)["result"]["tools"]
        return [tool["name"] for tool in listed]


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return Outside(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def uv() -> Path:
    return uv_program()


@pytest.fixture(scope="session")
def uvx(uv: Path) -> Path:
    return uv.with_name(uv.name.replace("uv", "uvx", 1))


@pytest.fixture(scope="session")
def wheel(uv: Path, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution that is published beside it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    outside.run(uv, "build", "--quiet", "--out-dir", built, fresh_copy(source))
    assert len(list(built.glob("*.tar.gz"))) == 1
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def mcpb(outside: Outside) -> Sequence[str]:
    """The bundles' own command, from npm."""
    npm, node = needs_program("npm"), needs_program("node")
    quietly = ["--no-audit", "--no-fund", "--loglevel=error"]
    outside.run(npm, "install", *quietly, "--prefix", outside.home, MCPB)
    package = outside.home / "node_modules" / "@anthropic-ai" / "mcpb"
    return [node, str(package / "dist" / "cli" / "cli.js")]
