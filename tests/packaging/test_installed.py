"""uvx, pipx and pip each run the built package, outside the checkout."""

from __future__ import annotations

import json
import sys
import zipfile
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment import __version__
from mcp_enrichment.mcp.tools import TOOLS
from tests.support.package_listings import REGISTRY_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.conftest import Outside

pytestmark = pytest.mark.installs
SAYS = f"mcp-enrichment, version {__version__}\n"
NAMES = [tool.name for tool in TOOLS]


@pytest.fixture(scope="session")
def by_pip(wheel: Path, outside: Outside) -> Path:
    """The command in a clean virtual environment."""
    venv = outside.home / "venv"
    outside.run(sys.executable, "-m", "venv", venv)
    folder = venv / ("Scripts" if sys.platform == "win32" else "bin")
    outside.run(folder / "python", "-m", "pip", "install", "--quiet", wheel)
    return folder / "mcp-enrichment"


def test_pip_installs_a_command_that_serves(by_pip: Path, outside: Outside) -> None:
    assert outside.run(by_pip, "--version") == SAYS
    assert outside.tools_of(by_pip) == NAMES
    assert "ada.okafor@example.com" in outside.run(by_pip, "demo")


def test_an_installation_is_set_up_by_its_whole_path(by_pip: Path, outside: Outside) -> None:
    shown = json.loads(outside.run(by_pip, "setup", "cursor", "--print"))
    entry = shown["mcpServers"]["enrichment"]
    assert entry == {"command": str(by_pip), "args": []}
    assert "wrong" not in outside.run(by_pip, "doctor")


def test_without_the_extra_a_key_is_refused_with_what_to_install(
    by_pip: Path, outside: Outside
) -> None:
    done = outside.tried(by_pip, "key", "set", typed="sk-planted\n")
    assert done.returncode == 1
    assert "mcp-enrichment[keyring]" in done.stderr
    assert "planted" not in done.stdout + done.stderr


def test_uvx_runs_it_and_sets_itself_up(uvx: Path, wheel: Path, outside: Outside) -> None:
    command = [uvx, "--quiet", "--from", wheel, "mcp-enrichment"]
    assert outside.run(*command, "--version") == SAYS
    assert outside.tools_of(*command) == NAMES
    shown = json.loads(outside.run(*command, "setup", "cursor", "--print"))
    entry = shown["mcpServers"]["enrichment"]
    assert entry == {"command": str(uvx), "args": ["mcp-enrichment"]}


def test_uvx_with_the_extra_is_set_up_with_the_extra(
    uvx: Path, wheel: Path, outside: Outside
) -> None:
    command = [uvx, "--quiet", "--from", f"mcp-enrichment[keyring] @ {wheel.as_uri()}"]
    shown = json.loads(outside.run(*command, "mcp-enrichment", "setup", "cursor", "--print"))
    arguments = ["--from", "mcp-enrichment[keyring]", "mcp-enrichment"]
    assert shown["mcpServers"]["enrichment"]["args"] == arguments


def test_pipx_installs_a_command_that_serves(uvx: Path, wheel: Path, outside: Outside) -> None:
    pipx = [uvx, "--quiet", "--from", "pipx[uv]", "pipx"]
    outside.run(*pipx, "install", "--python", sys.executable, wheel)
    command = outside.home / "bin" / "mcp-enrichment"
    assert outside.run(command, "--version") == SAYS
    assert outside.tools_of(command) == NAMES


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = message_from_bytes(archive.read(next(n for n in names if n.endswith("METADATA"))))
    folders = {name.split("/")[0] for name in names}
    assert folders == {"mcp_enrichment", f"mcp_enrichment-{__version__}.dist-info"}
    assert "mcp_enrichment/data/Connections.csv" in names
    assert "mcp_enrichment/py.typed" in names
    assert f"mcp-name: {REGISTRY_NAME} " in str(about.get_payload()), (
        "the registry looks for this line"
    )
