"""`uv.lock` fits the project, and `tasks.py` installs exactly what it lists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fresh_copy import ROOT, fresh_copy
from tests.support.optional_tools import do_without
from tests.support.uv import uv_environment, uv_program

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (ROOT / "uv.lock").read_text("utf-8")
LOCKED: list[dict[str, Any]] = [
    package for package in tomllib.loads(TEXT)["package"] if package["name"] != "mcp-enrichment"
]


def test_it_fits_the_dependencies_of_the_project() -> None:
    check = [uv_program(), "lock", "--check", "--offline", "--no-cache"]
    env = os.environ | uv_environment()
    done = subprocess.run(check, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `uv lock` of .venv: {done.stderr}"


def test_it_names_the_public_index_alone() -> None:
    assert {package["source"]["registry"] for package in LOCKED} == {"https://pypi.org/simple"}
    assert set(re.findall(r"\w+://[^/\"]*", TEXT)) == {
        "https://pypi.org",
        "https://files.pythonhosted.org",
    }


def test_each_file_has_a_hash() -> None:
    files = [f for package in LOCKED for f in (*package["wheels"], package.get("sdist")) if f]
    assert len(files) > len(LOCKED)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)


def test_the_tests_run_with_the_locked_packages() -> None:
    locked = {package["name"]: package["version"] for package in LOCKED}
    installed = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in metadata.distributions()
    }
    others = {name: installed[name] for name in installed.keys() & locked.keys()}.items()
    if others := others - locked.items():
        do_without(f"the packages of uv.lock; these differ: {dict(others)}")


@pytest.mark.installs
@pytest.mark.parametrize("ci", ["", "true"], ids=["by a developer", "in CI"])
def test_if_the_index_lacks_a_locked_file_others_are_installed_except_in_ci(
    tmp_path: Path, ci: str
) -> None:
    clone = fresh_copy(tmp_path)
    (clone / "uv.lock").write_text(re.sub("sha256:.{8}", "sha256:00000000", TEXT), "utf-8")
    small = "import tasks; tasks.EVERYTHING = '.'; tasks.install()"
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [sys.executable, "-c", small], cwd=clone, env=env | {"CI": ci},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "DO NOT MATCH THE HASHES" in said
    assert "The packages of uv.lock cannot be installed here" in said
    assert done.returncode == bool(ci), said
    assert (clone / ".venv" / "bin" / "mcp-enrichment").exists() is not bool(ci)
