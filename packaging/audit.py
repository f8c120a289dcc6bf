"""Reports known vulnerabilities of the packages in `uv.lock`, as pip-audit finds them.

    $ python3 tasks.py audit [--vulnerability-service osv]

Exit codes: 0 if all packages were judged and none is vulnerable, 1 if one is, and 2 if the service
did not judge all of them. pip-audit itself succeeds for a package that its service does not know.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "uv.lock"
KNOWN_VULNERABLE = "jinja2==2.10"
"""CVE-2019-10906. A service that does not report it would not report others, either."""
PIP_AUDIT = ["pip_audit", "--format=json", "--no-deps", "--disable-pip", "--progress-spinner=off"]


class NotJudgedError(Exception):
    """The service did not judge all packages; the text says why."""


def main(options: list[str]) -> int:
    """Print what is found; the exit code."""
    pins = locked(LOCK)
    try:
        need_judge(options)
        found = findings(pins, options)
    except NotJudgedError as cause:
        print(f"NOT AUDITED, so nothing is known about the packages in {LOCK.name}: {cause}")
        return 2
    print("\n".join([*found, f"{len(pins)} packages audited: {len(found)} known vulnerabilities"]))
    return 1 if found else 0


def need_judge(options: list[str]) -> None:
    """Raise NotJudgedError unless the service reports what is known for sure."""
    if not findings([KNOWN_VULNERABLE], options):
        raise NotJudgedError(f"the service reports nothing about {KNOWN_VULNERABLE}")


def locked(lock: Path) -> list[str]:
    """The requirement of each package from an index, for every platform."""
    packages = tomllib.loads(lock.read_text("utf-8"))["package"]
    return [f"{one['name']}=={one['version']}" for one in packages if "registry" in one["source"]]


def findings(pins: list[str], options: list[str]) -> list[str]:
    """A line for each vulnerability of these packages. Raises NotJudgedError."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "requirements.txt")
        listed.write_text("\n".join(pins), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", *PIP_AUDIT, *options, "--requirement", listed],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        judged = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = done.stderr.strip() or "pip-audit answered nothing"
        raise NotJudgedError(said.splitlines()[-1]) from None
    for package in judged:
        if "skip_reason" in package:
            raise NotJudgedError(package["skip_reason"])
    if len(judged) != len(pins):
        raise NotJudgedError(f"pip-audit judged {len(judged)} of {len(pins)} packages")
    return [
        f"{package['name']} {package['version']}: {', '.join([found['id'], *found['aliases']])}, "
        f"fixed in {' or '.join(found['fix_versions']) or 'no version'}"
        for package in judged
        for found in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
