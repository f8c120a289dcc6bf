"""Reports known vulnerabilities of the packages in `uv.lock`, as pip-audit finds them.

    $ python3 tasks.py audit [--vulnerability-service osv]

Exit codes: 0 if all packages were audited and none is vulnerable; 1 if one is; 2 if not all of them
were audited. pip-audit itself exits with 0 if its service does not know a package.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "uv.lock"
KNOWN_VULNERABLE = "jinja2==2.10"
"""It has CVE-2019-10906. A service that does not report it cannot be relied on for the others."""
PIP_AUDIT = ["pip_audit", "--format=json", "--no-deps", "--disable-pip", "--progress-spinner=off"]


class NotAuditedError(Exception):
    """Not all packages were audited; the text says why."""


def main(options: list[str]) -> int:
    """Print the known vulnerabilities; the exit code."""
    pins = locked(LOCK)
    try:
        require_working_service(options)
        found = findings(pins, options)
    except NotAuditedError as cause:
        print(f"NOT AUDITED, so nothing is known about the packages in {LOCK.name}: {cause}")
        return 2
    print("\n".join([*found, f"{len(pins)} packages audited: {len(found)} known vulnerabilities"]))
    return 1 if found else 0


def require_working_service(options: list[str]) -> None:
    """Raise NotAuditedError unless the service reports a package that is vulnerable for sure."""
    if not findings([KNOWN_VULNERABLE], options):
        raise NotAuditedError(f"the service reports nothing about {KNOWN_VULNERABLE}")


def locked(lock: Path) -> list[str]:
    """The requirements of all packages that come from a package index, for every platform."""
    packages = tomllib.loads(lock.read_text("utf-8"))["package"]
    return [f"{one['name']}=={one['version']}" for one in packages if "registry" in one["source"]]


def findings(pins: list[str], options: list[str]) -> list[str]:
    """A line for each known vulnerability of these packages. Raises NotAuditedError."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "requirements.txt")
        listed.write_text("\n".join(pins), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", *PIP_AUDIT, *options, "--requirement", listed],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        audited = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = done.stderr.strip() or "pip-audit answered nothing"
        raise NotAuditedError(said.splitlines()[-1]) from None
    for package in audited:
        if "skip_reason" in package:
            raise NotAuditedError(package["skip_reason"])
    if len(audited) != len(pins):
        raise NotAuditedError(f"pip-audit audited {len(audited)} of {len(pins)} packages")
    return [
        f"{package['name']} {package['version']}: {', '.join([found['id'], *found['aliases']])}, "
        f"fixed in {' or '.join(found['fix_versions']) or 'no version'}"
        for package in audited
        for found in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
