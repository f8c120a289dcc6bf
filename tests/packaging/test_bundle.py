"""The bundle for Claude Desktop is valid and small, and starts as Claude Desktop starts it."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.mcp.tools import TOOLS
from tests.support.fresh_copy import ROOT, fresh_copy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.packaging.conftest import Outside

pytestmark = pytest.mark.installs
AS_THE_HOST_DOES = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [library, extensionPath, userConfig] = process.argv.slice(1);
const { getMcpConfigForManifest } = await import(pathToFileURL(library));
const manifest = JSON.parse(readFileSync(`${extensionPath}/manifest.json`, "utf8"));
const config = await getMcpConfigForManifest({
  manifest, extensionPath, systemDirs: {}, userConfig: JSON.parse(userConfig), pathSeparator: "/",
});
console.log(JSON.stringify(config));
"""
LARGEST = 800_000
"""Bytes. uv fetches the dependencies; they are not part of it."""


@pytest.fixture(scope="session")
def bundle(mcpb: Sequence[str], outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed bundle."""
    folder = tmp_path_factory.mktemp("bundle")
    source, laid_out, packed = folder / "source", folder / "laid-out", folder / "it.mcpb"
    script = fresh_copy(source) / "packaging" / "mcpb" / "bundle.py"
    outside.run(sys.executable, script, laid_out)
    outside.run(*mcpb, "pack", laid_out, packed)
    return packed


@pytest.fixture(scope="session")
def installed(bundle: Path, outside: Outside) -> Path:
    """The unpacked bundle, as on a user's disk."""
    folder = outside.home / "extension"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def configured(
    mcpb: Sequence[str], outside: Outside, installed: Path, **chosen: str
) -> dict[str, Any]:
    """The command that the host runs with these values of its form."""
    node, cli = mcpb
    library = cli.replace("cli/cli.js", "shared/config.js")
    evaluated = ["--input-type=module", "--eval", AS_THE_HOST_DOES]
    told = outside.run(node, *evaluated, library, installed, json.dumps(chosen))
    return dict(json.loads(told))


def test_the_manifest_is_valid_and_keeps_the_key_secret(
    mcpb: Sequence[str], outside: Outside
) -> None:
    manifest = ROOT / "packaging" / "mcpb" / "manifest.json"
    outside.run(*mcpb, "validate", manifest)
    form = json.loads(manifest.read_text("utf-8"))["user_config"]
    assert form["api_key"]["sensitive"] is True
    assert not any(field["required"] for field in form.values()), "it works without a key"


def test_the_bundle_holds_the_package_and_no_dependency(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
    folders = {name.split("/")[0] for name in names}
    assert folders == {"LICENSE", "manifest.json", "mcp_enrichment", "pyproject.toml", "server.py"}
    assert not any("__pycache__" in name for name in names)
    assert bundle.stat().st_size < LARGEST


def test_the_bundle_is_started_as_the_host_starts_it(
    mcpb: Sequence[str], uv: Path, outside: Outside, installed: Path
) -> None:
    config = configured(mcpb, outside, installed)
    assert config["command"] == "uv"
    assert config["env"] == {"ENRICHMENT_API_KEY": "", "ENRICHMENT_API_URL": ""}
    command = [uv, "--quiet", *config["args"]]
    assert outside.tools_of(*command, **config["env"]) == [tool.name for tool in TOOLS]
    assert "250" in outside.run(*command, "credits", **config["env"]), "embedded without a key"


def test_the_key_goes_into_the_environment_and_on_no_command_line(
    mcpb: Sequence[str], outside: Outside, installed: Path
) -> None:
    config = configured(mcpb, outside, installed, api_key="sk-1", api_url="https://it.example")
    assert config["env"]["ENRICHMENT_API_KEY"] == "sk-1"
    assert config["env"]["ENRICHMENT_API_URL"] == "https://it.example"
    assert "sk-1" not in " ".join([config["command"], *config["args"]])
