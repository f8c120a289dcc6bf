"""Writes the software bill of materials (SBOM), in CycloneDX: the package and its dependencies.

    $ python3 packaging/sbom.py dist/sbom.cdx.json

It lists what `uv.lock` has for the package and its extras, except for the extra `dev`.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
EXPORT = ["export", "--quiet", "--frozen", "--all-extras", "--no-extra=dev", "--no-extra=site"]


def bill() -> str:
    """The document as JSON. uv lists the dependencies; our own version, licence and purl are
    added."""
    command = [find_uv_bin(), *EXPORT, "--format=cyclonedx1.5"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
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
