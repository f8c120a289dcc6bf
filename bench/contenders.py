"""The servers that are compared, each with the tool `get_credits`; their packages are installed
here.

Over HTTP they all run on the same uvicorn, in the same configuration, except the TypeScript SDK.

All return the same constant, as text and as structured content, to the same requests. Those named
*asking* get it from a scripted service in their own process, through an HTTP client; ours also
reads from its state file what was spent today. The *embedded* one is the command as it is
installed: it also reads the balance from its database.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

BARE, OURS = "bare SDK", "mcp-enrichment"
"""The goals compare these two: the second must be better than the first."""
SERVERS = Path(__file__).parent / "face_servers"
FASTMCP = "fastmcp>=4,<5"
TYPESCRIPT = ("@modelcontextprotocol/server@^2", "@modelcontextprotocol/node@^2")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A server that is compared."""

    name: str
    command: tuple[str, ...]
    """The command that serves over stdio."""
    http: tuple[str, ...] = ("http",)
    """Arguments that make it serve HTTP; the port follows."""
    settings: dict[str, str] = field(default_factory=dict)
    """Further variables of its environment."""


def contenders(folder: Path) -> list[Contender]:
    """All servers that can run on this machine; their packages are installed in the folder."""
    return [*_python(folder), *_fastmcp(folder), *_typescript(folder)]


def _python(folder: Path) -> list[Contender]:
    ours, bare = (
        (sys.executable, "-m", f"bench.face_servers.{name}") for name in ("ours", "bare_sdk")
    )
    settings = {f"ENRICHMENT_{name}_DIR": str(folder / name) for name in ("DATA", "STATE")}
    settings |= {"ENRICHMENT_HTTP_OPEN": "true", "ENRICHMENT_RATE_LIMIT": "1000000"}
    return [
        Contender(name=BARE, command=bare),
        Contender(name=OURS, command=ours),
        Contender(name=f"{BARE}, asking", command=(*bare, "asks")),
        Contender(name=f"{OURS}, asking", command=(*ours, "asks")),
        Contender(
            name=f"{OURS}, embedded",
            command=(sys.executable, "-m", "mcp_enrichment"),
            http=("serve", "--http", "--port"),
            settings=settings,
        ),
    ]


def _fastmcp(folder: Path) -> list[Contender]:
    home = str(folder / "fastmcp")
    python = str(Path(home, "bin", "python"))
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", FASTMCP]
    if subprocess.run(pip, check=False).returncode:
        print("FastMCP could not be installed, and is left out")
        return []
    return [Contender(name="FastMCP", command=(python, str(SERVERS / "with_fastmcp.py")))]


def _typescript(folder: Path) -> list[Contender]:
    home = str(folder / "typescript")
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        print("there is no Node.js, and so no TypeScript SDK")
        return []
    install = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", home]
    if subprocess.run([*install, *TYPESCRIPT], check=False).returncode:
        print("the TypeScript SDK could not be installed, and is left out")
        return []
    script = shutil.copy(str(SERVERS / "typescript.mjs"), home)
    return [Contender(name="TypeScript SDK", command=(node, script))]
