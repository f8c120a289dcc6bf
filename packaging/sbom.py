"""Writes the software bill of materials, in CycloneDX: the package and what users install with it.

    $ python3 packaging/sbom.py dist/sbom.cdx.json

It lists the dependencies and extras in `uv.lock`, except what only developers install.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ["export", "--quiet", "--frozen", "--all-extras", "--no-extra=dev", "--no-extra=site"]


def bill() -> str:
    """The document, with our own version, which uv.lock leaves out."""
    export = [find_uv_bin(), *LOCKED, "--format=cyclonedx1.5"]
    listed = subprocess.run(export, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    document = json.loads(listed)
    code = (ROOT / "mcp_enrichment" / "__init__.py").read_text("utf-8")
    version = re.findall(r'^__version__ = "(.+)"$', code, re.MULTILINE)[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    document["metadata"]["component"] |= {
        "version": version,
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
        "purl": f"pkg:pypi/{project['name']}@{version}",
    }
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(bill(), "utf-8")
