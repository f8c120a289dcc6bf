"""Mutation tests of the simulation: each mutant is a patch of one line that breaks one promise.

The first line of a patch says which promise. `python3 tasks.py simulate --mutants` shows after how
many worlds the simulation finds each mutant.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATCHES = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A faulty variant of one file of the product."""

    name: str
    promise: str
    path: str
    """Of the file, from the root of the project."""
    before: str
    """The changed line, with the lines around it."""
    after: str

    def plant(self, root: Path) -> None:
        """Change the file below this root. Raises `ValueError` unless the lines are there once."""
        file = root / self.path
        text = file.read_text("utf-8")
        if text.count(self.before) != 1:
            raise ValueError(f"{self.name} does not apply to {self.path}")
        file.write_text(text.replace(self.before, self.after), "utf-8")


def mutants(*names: str) -> list[Mutant]:
    """The mutants of these names, or all. Raises `FileNotFoundError` for an unknown name."""
    files = [PATCHES / f"{name}.patch" for name in names] or sorted(PATCHES.glob("*.patch"))
    return [_read(file) for file in files]


def _read(file: Path) -> Mutant:
    promise, _, old, _, _, *lines = file.read_text("utf-8").splitlines()
    before = [line[1:] for line in lines if line[0] in " -"]
    after = [line[1:] for line in lines if line[0] in " +"]
    return Mutant(
        name=file.stem,
        promise=promise,
        path=old.removeprefix("--- a/"),
        before="\n".join(before),
        after="\n".join(after),
    )


def copy_with(mutant: Mutant | None, folder: Path) -> Path:
    """The root of a copy of the project in this folder, with the fault."""
    root = folder / (mutant.name if mutant else "unchanged")
    root.mkdir()
    shutil.copytree(ROOT / "mcp_enrichment", root / "mcp_enrichment")
    for name in ("tests", "docs", "pyproject.toml"):
        (root / name).symlink_to(ROOT / name)
    if mutant:
        mutant.plant(root)
    return root
