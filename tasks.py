"""The project's commands, on a fresh machine: `python3 tasks.py demo`, `python3 tasks.py test`.

Needs Python 3.11 or newer with pip, and nothing else: each command makes what it needs in `.venv`.
"""

import ast
import glob
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
OLDEST = (3, 11)
EVERYTHING = ".[dev,keyring,otel,postgres]"

CHECKS = {
    "lint": {"args": [BIN / "ruff", "check", "."]},
    "format": {"args": [BIN / "ruff", "format", "--check", "."]},
    "types": {"args": [BIN / "mypy"]},
    "import contracts": {"args": [BIN / "lint-imports"]},
}
"""What `subprocess.Popen` takes, by name."""
SERVERS = {
    "postgresql": ["initdb", "/usr/lib/postgresql/*/bin/initdb"],
    "nginx-light": ["nginx", "/usr/sbin/nginx"],
    "chromium": ["chromium"],
}
"""Debian's packages, and what shows that one is there."""
UPDATE = ["apt-get", "--quiet=2", "update"]
INSTALL = ["apt-get", "--yes", "--quiet=2", "--no-install-recommends", "install"]
SIDE_BY_SIDE = ["--numprocesses", str(2 * (os.cpu_count() or 1)), "--dist"]
"""Tests spend half of their time waiting for processes, so two run on each core."""
MEMORY = Path("/dev/shm")  # noqa: S108 (each test makes a folder of its own there)
MEMORY_NEEDED = 4 * 1024**3
"""Bytes. If that much is free, the tests' files lie in memory, as a disk may be slow."""
NONE_COLLECTED = 5
"""How pytest ends where the options leave nothing to run."""
BENCHES = [
    *("start", "lookup", "import", "longpoll", "push", "service", "floor", "fleet"),
    *("waiting", "context", "face", "ending", "held", "infer", "list", "console"),
]


def demo(*_options):
    """Set everything up and run the main job: real answers through a real MCP client."""
    install(".")
    return run("mcp-enrichment", "demo")


def test(*pytest_options):
    """Set everything up and run all checks: lint, types, import contracts, tests."""
    install(EVERYTHING)
    install_servers()
    # The tests start hundreds of processes, which all find the package compiled.
    run("python", "-m", "compileall", "-q", "mcp_enrichment")
    tests = test_runs(*pytest_options)
    codes = run_together(tests | CHECKS)
    failed = [name for name in codes if codes[name] not in (0, NONE_COLLECTED)]
    if all(codes[name] == NONE_COLLECTED for name in tests):
        failed.append("tests: the options leave none to run")
    return report(failed)


def check(*pytest_options):
    """Lint, types, import contracts, and the tests of what changed since the last commit."""
    if not is_there(str(BIN / "pytest")):
        install(EVERYTHING)
    tests = tests_of(changed_files())
    command = [BIN / "pytest", *SIDE_BY_SIDE, "worksteal", "--installing=none", *pytest_options]
    name = f"tests of what changed: {len(tests)} files"
    of_tests = {name: {"args": [*command, *tests], "env": in_memory()}} if tests else {}
    codes = run_together(of_tests | CHECKS)
    return report([name for name, code in codes.items() if code])


def run_together(commands):
    """Run the commands at the same time; their exit codes, by name.

    The first prints as it runs. What the others say is printed after it.
    """
    first, *others = commands
    print(f"\n== {first}", flush=True)
    with ExitStack() as stack:
        said = {name: stack.enter_context(TemporaryFile()) for name in others}
        started = {
            name: subprocess.Popen(
                **commands[name], cwd=ROOT, stdout=said[name], stderr=subprocess.STDOUT
            )
            for name in others
        }
        codes = {first: subprocess.run(**commands[first], cwd=ROOT, check=False).returncode}
        for name in others:
            codes[name] = started[name].wait()
            said[name].seek(0)
            print(f"\n== {name}\n{said[name].read().decode(errors='replace')}", flush=True)
    return codes


def report(failed):
    """Print what failed; the exit code."""
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks passed")
    return 1 if failed else 0


def changed_files():
    """The files that differ from the last commit; if none do, those of the last commit."""
    uncommitted = git("status", "--porcelain", "--no-renames", "--untracked-files=all")
    return {line.split()[-1] for line in uncommitted or git("diff", "--name-only", "HEAD~1")}


def git(*options):
    """The lines that git prints."""
    command = [shutil.which("git"), *options]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def tests_of(changed):
    """The test files among the changed, and those that import a changed module themselves."""
    modules = {name.removesuffix(".py").replace("/", ".") for name in changed}
    files = {path: path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/test_*.py")}
    return sorted(
        name for path, name in files.items() if name in changed or imported(path) & modules
    )


def imported(path):
    """The dotted names of the modules that a file imports from, and of what it imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_runs(*options):
    """The tests without any network but loopback, and those that install with one."""
    pytest = [str(BIN / "pytest"), *SIDE_BY_SIDE]
    if not can_be_cut_off():
        name = "tests (this system cannot cut them off from the network)"
        return {name: {"args": [*pytest, "worksteal", *options], "env": with_bytecode()}}
    alone = cut_off([*pytest, "worksteal", "--installing=none", *options])
    # The tests of one file share what they install.
    beside = [pytest[0], "--numprocesses", "2", "--dist", "loadfile"]
    installing = [*beside, "--installing=only", *options]
    return {
        "tests, cut off from the network": {"args": alone, "env": in_memory()},
        "tests that install from package indexes": {"args": installing, "env": with_bytecode()},
    }


def with_bytecode():
    """The environment, in which Python keeps what it has compiled for the next process."""
    return {name: of for name, of in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def in_memory():
    """That environment, with the folder for temporary files in memory if there is room."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return {"TMPDIR": str(MEMORY)} | with_bytecode() if has_room else with_bytecode()


def cut_off(command):
    """The command, in a network of its own where loopback is all there is, as the same user."""
    if not os.getuid():  # who has all users at hand, as whom servers are started
        alone = 'ip link set lo up && exec "$0" "$@"'
        return ["unshare", "--net", "bash", "-c", alone, *command]
    alone = 'ip link set lo up && exec unshare --user --map-user="$0" --map-group="$1" "${@:2}"'
    ids = [str(os.getuid()), str(os.getgid())]
    return ["unshare", "--map-root-user", "--net", "bash", "-c", alone, *ids, *command]


def can_be_cut_off():
    """Whether this system lets its users make such a network: Linux, mostly."""
    try:
        return not subprocess.run(cut_off(["true"]), check=False, capture_output=True).returncode
    except (AttributeError, FileNotFoundError):  # no user ids, no such command
        return False


def bench(*names):
    """Set everything up and run the benchmarks, or those that are named."""
    install(EVERYTHING)
    install_servers()
    return max(run("python", "-m", f"bench.{name}") for name in names or BENCHES)


def chaos(*how_much):
    """Set everything up and kill services for some minutes: `chaos [REQUESTS [KILLS]]`."""
    install(EVERYTHING)
    install_servers()
    kinds = ("tests.support.chaos", "tests.support.chaos_fleet")
    return max(run("python", "-m", kind, *how_much) for kind in kinds)


def docs():
    """Rewrite what is generated: tables, links, what shops read, and the tools' snapshots."""
    install(EVERYTHING)
    return run("python", "-m", "tests.support.generated_docs")


def install(what):
    """Install the project, editable, into `.venv`."""
    if run("python", "-m", "pip", "--version", stdout=subprocess.DEVNULL):
        make_venv()
    quietly = ["--quiet", "--disable-pip-version-check"]
    if run("python", "-m", "pip", "install", *quietly, "--editable", what):
        sys.exit("The installation failed: see above. It needs a reachable package index.")


def install_servers():
    """Install what the tests start, by Debian's packages, where it is missing and that may be done.

    Where it may not, say what is left out; in CI nothing is, and the tests fail.
    """
    missing = [package for package, there in SERVERS.items() if not any(map(is_there, there))]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"Not installed: {', '.join(missing)}. The tests that need it are left out, by name.")
        print("As root this installs it; elsewhere install it by yourself.", flush=True)
        return
    quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (UPDATE, [*INSTALL, *missing]):
        if subprocess.run(command, check=False, env=quietly).returncode:
            sys.exit(f"{', '.join(missing)} could not be installed: see above.")


def is_there(pattern):
    """Whether a file fits the pattern, or a program of that name is on the PATH."""
    return bool(shutil.which(pattern) or glob.glob(pattern))


def make_venv():
    """Make `.venv`, or say what is missing for it."""
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        sys.exit(
            "A virtual environment could not be made. On Debian and Ubuntu run "
            "`apt install python3-venv`, then remove .venv and try again."
        )


def run(program, *options, **popen):
    """Run a program of the environment in the project's folder; its exit code."""
    try:
        return subprocess.run(
            [str(BIN / program), *options], cwd=ROOT, check=False, **popen
        ).returncode
    except FileNotFoundError:
        return 127


COMMANDS = {
    "demo": demo,
    "test": test,
    "check": check,
    "bench": bench,
    "chaos": chaos,
    "docs": docs,
}


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
