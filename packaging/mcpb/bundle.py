"""Lays out the bundle for Claude Desktop, to be packed by `mcpb pack`.

    $ python3 packaging/mcpb/bundle.py dist/mcpb

It holds the package and names what it depends on; Claude Desktop brings Python and uv.
"""

import json
import shutil
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEFT_OUT = shutil.ignore_patterns("__pycache__")


def lay_out(folder: Path) -> None:
    """Write the bundle's files into the folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "mcp_enrichment", folder / "mcp_enrichment", ignore=LEFT_OUT)
    for file in (HERE / "manifest.json", HERE / "server.py", ROOT / "LICENSE"):
        shutil.copy(file, folder)
    (folder / "pyproject.toml").write_text(project(), "utf-8")


def project() -> str:
    """The dependencies of the package, for uv: nothing is built on the user's machine."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = json.loads((HERE / "manifest.json").read_text("utf-8"))["version"]
    return "\n".join([
        "[project]",
        f'name = "{ours["name"]}"',
        f'version = "{version}"',
        f'requires-python = "{ours["requires-python"]}"',
        f"dependencies = {json.dumps(ours['dependencies'], indent=4)}",
        "",
        "[tool.uv]",
        "package = false",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
