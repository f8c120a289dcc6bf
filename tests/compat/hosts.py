"""The SDKs that hosts are built on, from the oldest in use to the newest."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.compat.toolbox import Toolbox

CLIENTS = Path(__file__).parent / "clients"


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A client program on one SDK."""

    name: str
    program: str
    """Its file in `clients/`, without the suffix."""
    speaks: str
    """The version of the protocol that it negotiates with our server."""
    packages: tuple[str, ...] = ()
    """Its packages from PyPI or npm; none for the SDK that the server uses."""
    options: tuple[str, ...] = ()
    """Arguments of the program after the server."""

    def command(self, tools: Toolbox) -> list[str]:
        """The command that starts the program, with its packages installed."""
        if self.program.startswith("python"):
            python = tools.python(*self.packages) / "python" if self.packages else sys.executable
            return [str(python), str(CLIENTS / f"{self.program}.py")]
        folder = tools.npm(*self.packages)
        for program in CLIENTS.glob("*.mjs"):  # Node imports from the folder of a program
            shutil.copy(program, folder)
        return [str(tools.node), str(folder / f"{self.program}.mjs")]

    def __str__(self) -> str:
        return self.name


BEFORE_PYDANTIC_2_12 = "pydantic<2.12"
"""These releases import names of pydantic that later releases of pydantic have removed."""

HOSTS = (
    Host(
        name="python-1.9.4",
        program="python_1",
        packages=("mcp==1.9.4", BEFORE_PYDANTIC_2_12),
        speaks="2025-03-26",
    ),
    Host(
        name="python-1.12.4",
        program="python_1",
        packages=("mcp==1.12.4", BEFORE_PYDANTIC_2_12),
        speaks="2025-06-18",
    ),
    Host(
        name="python-1.30", program="python_1", packages=("mcp>=1.30,<1.31",), speaks="2025-11-25"
    ),
    Host(name="python-2-legacy", program="python_2", options=("legacy",), speaks="2025-11-25"),
    Host(name="python-2", program="python_2", options=("auto",), speaks="2026-07-28"),
    Host(
        name="typescript-1.32",
        program="typescript_1",
        packages=("@modelcontextprotocol/sdk@~1.32.2",),
        speaks="2025-11-25",
    ),
    Host(
        name="typescript-2.4-legacy",
        program="typescript_2",
        packages=("@modelcontextprotocol/client@~2.4.0",),
        speaks="2025-11-25",
    ),
    Host(
        name="typescript-2.4",
        program="typescript_2",
        packages=("@modelcontextprotocol/client@~2.4.0",),
        options=("auto",),
        speaks="2026-07-28",
    ),
)
