"""The table of tried programs in the documents has each program that these tests install."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.compat.frameworks import ON_THE_NEWEST_SDK
from tests.compat.hosts import BEFORE_PYDANTIC_2_12
from tests.compat.test_app import ESBUILD
from tests.compat.test_toolproof import OLDER_HYPOTHESIS
from tests.compat.toolbox import NODE
from tests.compat.tried import REQUIREMENT, package_and_versions
from tests.support.fresh_copy import ROOT

BESIDE = {NODE, BEFORE_PYDANTIC_2_12, OLDER_HYPOTHESIS, ESBUILD, "mcpadapt>=0.1.19,<0.2"}
"""Packages that the programs need, and that are none themselves."""
SDK = ON_THE_NEWEST_SDK[-1]


def installed() -> set[str]:
    """Each text in these tests that pip or npm takes as a package with its versions."""
    trees = (ast.parse(file.read_text("utf-8")) for file in Path(__file__).parent.glob("*.py"))
    constants = (one for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Constant))
    texts = {one.value for one in constants if isinstance(one.value, str)}
    return {text for text in texts if REQUIREMENT.fullmatch(text)}


def test_the_table_has_every_program_that_is_installed_and_no_other() -> None:
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    table = page.partition("<!-- generated: tried -->")[2].partition("<!-- /generated -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[3:]]
    shown = {(row[1].strip("`"), row[2].strip("`")) for row in rows} - {("mcp", "the server's own")}
    assert shown == {package_and_versions(one) for one in installed() - BESIDE - {SDK}}
