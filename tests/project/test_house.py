"""Rules of the project that a test can check: sizes of files, dependencies, import cycles."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from itertools import chain

import grimp

from tests.support.fresh_copy import ROOT

PACKAGE = sorted((ROOT / "mcp_enrichment").rglob("*.py"))
FILES = PACKAGE + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "bench").rglob("*.py"))
FILES += sorted((ROOT / "website").rglob("*.py"))


def test_most_files_have_up_to_150_lines_and_none_more_than_400() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not [str(path) for path, length in lengths.items() if length > 400]
    assert statistics.median(lengths[path] for path in PACKAGE) <= 150


def test_every_dependency_is_bounded_and_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        if requirement.startswith(project["name"]):
            continue  # an extra that includes another one
        name = re.match(r"[a-z0-9-]+", requirement)
        assert name
        assert name[0] in reasons, f"{name[0]} has no reason in CONTRIBUTING.md"
        assert ",<" in requirement, f"{requirement} is not bounded below its next major version"


def test_the_module_does_what_the_command_does() -> None:
    ask = [sys.executable, "-m", "mcp_enrichment", "--version"]
    said = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    assert re.fullmatch(r"mcp-enrichment, version \d+\.\d+\.\d+\n", said)


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    graph = grimp.build_graph("mcp_enrichment", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the cycle
