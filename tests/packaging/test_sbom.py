"""The bill of materials is valid CycloneDX, and lists what users install."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

from mcp_enrichment import __version__
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema.protocols import Validator


@pytest.fixture
def bill(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "dist" / "sbom.cdx.json"
    command = [sys.executable, ROOT / "packaging" / "sbom.py", file]
    subprocess.run(command, cwd=tmp_path, check=True)
    document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return document


def cyclonedx() -> Validator:
    """The format's own schema of version 1.5, with the two that it refers to."""
    folder = resources.files("cyclonedx.schema") / "_res"
    files = [f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.5", "spdx", "jsf-0.82")]
    bom, *others = (json.loads((folder / file).read_text("utf-8")) for file in files)
    beside = [urljoin(bom["$id"], file) for file in files[1:]]
    known = zip(beside, map(Resource.from_contents, others), strict=True)
    return Draft7Validator(
        bom, registry=Registry().with_resources(known), format_checker=FormatChecker()
    )


def test_it_is_valid_by_the_schema_of_cyclonedx(bill: dict[str, Any]) -> None:
    assert not list(cyclonedx().iter_errors(bill))
    assert list(cyclonedx().iter_errors(bill | {"components": [{"name": "no type"}]}))


def test_it_lists_each_dependency_and_nothing_of_the_development_tools(
    bill: dict[str, Any],
) -> None:
    listed = {component["name"] for component in bill["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    del extras["dev"], extras["site"]
    required = chain(project["dependencies"], *extras.values())
    assert {re.split(r"[\[<>=; ]", requirement)[0] for requirement in required} < listed
    assert not {"pytest", "mypy", "uv", "pip-audit", "sphinx"} & listed
    assert all(c["version"] and c["purl"] and c["externalReferences"] for c in bill["components"])


def test_it_names_the_package_with_its_version(bill: dict[str, Any]) -> None:
    subject = bill["metadata"]["component"]
    assert subject["purl"] == f"pkg:pypi/mcp-enrichment@{__version__}"
    depends = {entry["ref"]: entry.get("dependsOn") for entry in bill["dependencies"]}
    assert any(ref.startswith("cryptography-") for ref in depends[subject["bom-ref"]])
