"""Each path, name, setting and command in docs/architecture.md and CONTRIBUTING.md exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

import tasks
from mcp_enrichment.cli import COMMANDS
from mcp_enrichment.settings import Settings
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "mcp_enrichment"
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
IS_PATH = re.compile(r"[\w.*-]+/[\w./*-]*|[\w-]+\.(md|py|toml)")


@cache
def _names_in(file: Path) -> frozenset[str]:
    """The names that a file defines, also as `Class.member`, and the words of its strings."""
    tree = ast.parse(file.read_text("utf-8"))
    found = {file.stem}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for name in _defined_in(node)}
        found |= set(_defined_in(node))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for text in texts:
        if isinstance(text.value, str) and id(text) not in docstrings:
            found |= {text.value, *re.findall(r"\w+", text.value)}
    return frozenset(found)


def _defined_in(node: ast.AST) -> Iterator[str]:
    for part in getattr(node, "body", ()) if isinstance(node, ast.Module | ast.ClassDef) else ():
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.AnnAssign | ast.Assign):
            targets = [part.target] if isinstance(part, ast.AnnAssign) else part.targets
            yield from (one.id for one in targets if isinstance(one, ast.Name))


def _found(path: str) -> list[Path]:
    """The files or folders of this name in the package, or in the project."""
    return [*PACKAGE.glob(path), *ROOT.glob(path)]


@cache
def _everywhere() -> frozenset[str]:
    files = [*PACKAGE.rglob("*.py"), *ROOT.glob("tests/support/*.py"), ROOT / "tasks.py"]
    names = frozenset().union(*map(_names_in, files))
    return names | set(re.findall(r"[\w.\[\]-]+", (ROOT / "pyproject.toml").read_text("utf-8")))


def _exists(quoted: str, files: list[Path]) -> bool:
    first, *others = quoted.split()
    if quoted.startswith("ENRICHMENT_"):
        return quoted.removeprefix("ENRICHMENT_").lower() in Settings.model_fields
    if first == "mcp-enrichment":
        return not others or others[0] in COMMANDS
    if task := re.match(r"(?:python3\S* )?tasks\.py (\w+)", quoted):
        return task[1] in tasks.COMMANDS
    if IS_PATH.fullmatch(quoted):
        return bool(_found(quoted))
    known = frozenset().union(*map(_names_in, files)) if files else _everywhere()
    return quoted in known


def _missing(line: str) -> list[str]:
    """Of the quoted names of a line, those that do not exist. In a row that also names files, they
    must be in one of these files."""
    quoted = re.findall(r"`([^`]+)`", line)
    paths = [one for one in quoted if IS_PATH.fullmatch(one)]
    row = line.startswith("|") and line.count(".py`")
    files = [file for path in paths for file in _found(path) if file.suffix == ".py"] if row else []
    return [one for one in quoted if not _exists(one, files)]


@pytest.mark.parametrize("page", PAGES)
def test_each_path_and_name_of_the_page_exists(page: str) -> None:
    prose = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    assert not [name for line in prose.splitlines() for name in _missing(line)]


@pytest.mark.parametrize("page", PAGES)
def test_each_folder_of_the_drawing_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    drawn = " ".join(block for language, block in blocks if language in ("", "text"))
    named = set(re.findall(r"[a-z_][a-z_/]*(?=/)", drawn))
    assert named
    assert not [name for name in named if not [*PACKAGE.rglob(name), *ROOT.glob(name)]]


def test_each_package_is_in_the_drawing_of_both_pages() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        assert not {one for one in packages if f"{one}/" not in text}


def test_a_name_that_is_elsewhere_or_gone_is_found() -> None:
    assert not _missing("| `client/poller.py` | `Poller.wait` |")
    assert _missing("| `client/poller.py` | `Poller.gone`, `look_up` |") == [
        "Poller.gone",
        "look_up",
    ]
    assert _missing("`client/gone.py`, `gone_from_here`") == ["client/gone.py", "gone_from_here"]


def test_the_pages_are_linked() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/architecture.md)" in (ROOT / page).read_text("utf-8")
