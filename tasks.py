"""The project's commands, on a fresh machine: `python3 tasks.py demo`, `python3 tasks.py test`.

Needs Python 3.11 or newer with pip, and nothing else: each command makes what it needs in `.venv`.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
OLDEST = (3, 11)
EVERYTHING = ".[dev,keyring,otel]"

CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "import contracts": ["lint-imports"],
    "tests": ["pytest"],
}
BENCHES = [
    "start",
    "lookup",
    "longpoll",
    "push",
    "service",
    "waiting",
    "context",
    "face",
    "ending",
    "held",
]


def demo(*_options):
    """Set everything up and run the main job: real answers through a real MCP client."""
    install(".")
    return run("mcp-enrichment", "demo")


def test(*pytest_options):
    """Set everything up and run all checks: lint, types, import contracts, tests."""
    install(EVERYTHING)
    failed = []
    for name, command in CHECKS.items():
        print(f"\n== {name}", flush=True)
        if run(*command, *(pytest_options if name == "tests" else ())):
            failed.append(name)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks passed")
    return 1 if failed else 0


def bench(*names):
    """Set everything up and run the benchmarks, or those that are named."""
    install(EVERYTHING)
    return max(run("python", "-m", f"bench.{name}") for name in names or BENCHES)


def chaos(*how_much):
    """Set everything up and kill services for a minute: `chaos [REQUESTS [KILLS]]`."""
    install(EVERYTHING)
    return run("python", "-m", "tests.support.chaos", *how_much)


def docs():
    """Rewrite what is generated: tables, links, what shops read, and the tools' snapshots."""
    install(EVERYTHING)
    return run("python", "-m", "tests.support.generated")


def install(what):
    """Install the project, editable, into `.venv`."""
    if run("python", "-m", "pip", "--version", stdout=subprocess.DEVNULL):
        make_venv()
    quietly = ["--quiet", "--disable-pip-version-check"]
    if run("python", "-m", "pip", "install", *quietly, "--editable", what):
        sys.exit("The installation failed: see above. It needs a reachable package index.")


def make_venv():
    """Make `.venv`, or say what is missing for it."""
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        sys.exit(
            "A virtual environment could not be made. On Debian and Ubuntu run "
            "`apt install python3-venv`, then remove .venv and try again."
        )


def run(program, *options, **streams):
    """Run a program of the environment in the project's folder; its exit code."""
    try:
        return subprocess.run(
            [str(BIN / program), *options], cwd=ROOT, check=False, **streams
        ).returncode
    except FileNotFoundError:
        return 127


COMMANDS = {"demo": demo, "test": test, "bench": bench, "chaos": chaos, "docs": docs}


def main():
    """Run the command that was named."""
    if sys.version_info < OLDEST:
        sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0])
    name, *options = sys.argv[1:] or ["help"]
    if name not in COMMANDS:
        print(__doc__)
        for command, function in COMMANDS.items():
            print(f"  {command:6} {function.__doc__}")
        sys.exit(0 if name in ("help", "-h", "--help") else 2)
    sys.exit(COMMANDS[name](*options))


if __name__ == "__main__":
    main()
