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
from tempfile import TemporaryDirectory, TemporaryFile

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
"""The arguments of `subprocess.Popen` for each check, by name."""
SERVERS = {
    "postgresql": ["initdb", "/usr/lib/postgresql/*/bin/initdb"],
    "nginx-light": ["nginx", "/usr/sbin/nginx"],
    "chromium": ["chromium"],
}
"""The Debian packages that tests need, each with paths of which one exists if it is installed."""
UPDATE = ["apt-get", "--quiet=2", "update"]
INSTALL = ["apt-get", "--yes", "--quiet=2", "--no-install-recommends", "install"]
SIDE_BY_SIDE = ["--numprocesses", str(2 * (os.cpu_count() or 1)), "--dist"]
"""Tests spend half of their time waiting for processes, so two run on each core."""
MEMORY = Path("/dev/shm")  # noqa: S108 (each test makes a folder of its own there)
MEMORY_NEEDED = 4 * 1024**3
"""Bytes. If this much is free, tests keep temporary files in memory: a disk may be slow."""
NONE_COLLECTED = 5
"""pytest's exit code if the options select no test."""
BENCHES = [
    *("start", "lookup", "import", "longpoll", "push", "service", "floor", "fleet"),
    *("waiting", "context", "face", "ending", "held", "infer", "list", "list_batches", "console"),
    "tool_choice",
]


def demo(*_options):
    """Install it as users do, and run the main job: real answers through a real MCP client."""
    need_pip()
    install_unlocked(".")
    return run("mcp-enrichment", "demo")


def test(*pytest_options):
    """Set everything up and run all checks: lint, types, import contracts, tests."""
    install()
    install_servers()
    # The tests start hundreds of processes, none of which has to compile the package.
    run("python", "-m", "compileall", "-q", "mcp_enrichment")
    tests = test_runs(*pytest_options)
    codes = run_together(tests | CHECKS)
    failed = [name for name in codes if codes[name] not in (0, NONE_COLLECTED)]
    if all(codes[name] == NONE_COLLECTED for name in tests):
        failed.append("tests: the options select none")
    return report(failed)


def check(*pytest_options):
    """Lint, types, import contracts, and the tests of what changed since the last commit."""
    if not is_there(str(BIN / "pytest")):
        install()
    tests = tests_of(changed_files())
    command = [BIN / "pytest", *SIDE_BY_SIDE, "worksteal", "--installing=none", *pytest_options]
    name = f"tests of what changed: {len(tests)} files"
    of_tests = {name: {"args": [*command, *tests], "env": in_memory()}} if tests else {}
    codes = run_together(of_tests | CHECKS)
    return report([name for name, code in codes.items() if code])


def run_together(commands):
    """Run the commands at the same time; their exit codes, by name.

    The first prints as it runs. The output of the others is printed after it.
    """
    first, *others = commands
    print(f"\n== {first}", flush=True)
    with ExitStack() as stack:
        output = {name: stack.enter_context(TemporaryFile()) for name in others}
        started = {
            name: subprocess.Popen(
                **commands[name], cwd=ROOT, stdout=output[name], stderr=subprocess.STDOUT
            )
            for name in others
        }
        codes = {first: subprocess.run(**commands[first], cwd=ROOT, check=False).returncode}
        for name in others:
            codes[name] = started[name].wait()
            output[name].seek(0)
            print(f"\n== {name}\n{output[name].read().decode(errors='replace')}", flush=True)
    return codes


def report(failed):
    """Print what failed; the exit code."""
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks passed")
    return 1 if failed else 0


def changed_files():
    """The files that differ from the last commit; if there are none, the files of that commit."""
    uncommitted = git("status", "--porcelain", "--no-renames", "--untracked-files=all")
    return {line.split()[-1] for line in uncommitted or git("diff", "--name-only", "HEAD~1")}


def git(*options):
    """Run git; the lines of its output."""
    command = [shutil.which("git"), *options]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def tests_of(changed):
    """The changed test files, and those that import a changed module directly."""
    modules = {name.removesuffix(".py").replace("/", ".") for name in changed}
    files = {path: path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/test_*.py")}
    return sorted(
        name for path, name in files.items() if name in changed or imported(path) & modules
    )


def imported(path):
    """The dotted names of the modules and of the objects that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_runs(*options):
    """The pytest runs by name: one with loopback only, and one with a network for installing."""
    pytest = [str(BIN / "pytest"), *SIDE_BY_SIDE]
    if not can_be_cut_off():
        name = "tests (this system cannot cut them off from the network)"
        return {name: {"args": [*pytest, "worksteal", *options], "env": with_bytecode()}}
    offline = cut_off([*pytest, "worksteal", "--installing=none", *options])
    # The tests of one file share what they install.
    by_file = [pytest[0], "--numprocesses", "2", "--dist", "loadfile"]
    installing = [*by_file, "--installing=only", *options]
    return {
        "tests, cut off from the network": {"args": offline, "env": in_memory()},
        "tests that install from package indexes": {"args": installing, "env": with_bytecode()},
    }


def with_bytecode():
    """The environment, with which Python stores compiled modules for the next process."""
    return {name: of for name, of in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def in_memory():
    """The same, with the folder for temporary files in memory if enough is free."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return {"TMPDIR": str(MEMORY)} | with_bytecode() if has_room else with_bytecode()


def cut_off(command):
    """The command, to run as the same user in a network namespace with loopback only."""
    if not os.getuid():  # no user namespace: it would hide the users that tests start servers as
        script = 'ip link set lo up && exec "$0" "$@"'
        return ["unshare", "--net", "bash", "-c", script, *command]
    script = 'ip link set lo up && exec unshare --user --map-user="$0" --map-group="$1" "${@:2}"'
    ids = [str(os.getuid()), str(os.getgid())]
    return ["unshare", "--map-root-user", "--net", "bash", "-c", script, *ids, *command]


def can_be_cut_off():
    """Whether this system allows such a namespace: most Linux systems do."""
    try:
        return not subprocess.run(cut_off(["true"]), check=False, capture_output=True).returncode
    except (AttributeError, FileNotFoundError):  # no user ids, no such command
        return False


def bench(*names):
    """Set everything up and run the named benchmarks, or all of them."""
    install()
    install_servers()
    return max(run("python", "-m", f"bench.{name}") for name in names or BENCHES)


def chaos(*how_much):
    """Set everything up and kill services for some minutes: `chaos [REQUESTS [KILLS]]`."""
    install()
    install_servers()
    kinds = ("tests.support.chaos", "tests.support.chaos_fleet")
    return max(run("python", "-m", kind, *how_much) for kind in kinds)


def simulate(*options):
    """Run simulated worlds: `simulate [--seeds N] [--replay TOKEN] [--mutants [NAME ...]]`."""
    install()
    return run("python", "-m", "tests.simulation", *options)


def docs():
    """Rewrite generated tables, links, store listings and tool snapshots."""
    install()
    return run("python", "-m", "tests.support.generated_docs")


def audit(*options):
    """Report known vulnerabilities of the packages in `uv.lock`; options go to pip-audit."""
    install()
    return run("python", "packaging/audit.py", *options)


def sbom():
    """Write a CycloneDX bill of materials to `dist/sbom.cdx.json`: what users install."""
    install()
    return run("python", "packaging/sbom.py", "dist/sbom.cdx.json")


def install():
    """Install the project, editable, into `.venv`, with all extras as `uv.lock` has them."""
    need_pip()
    if install_locked():
        return
    failed = "The packages of uv.lock cannot be installed here: see above. "
    if os.environ.get("CI"):
        sys.exit(failed + "CI installs no others.")
    print(failed + "Others that pyproject.toml allows are installed in their place.", flush=True)
    install_unlocked(EVERYTHING)


def install_locked():
    """Install exactly the files in `uv.lock`, from the index that pip is set up for.

    uv writes the list; pip installs it, as it knows this machine's index. Whether all worked.
    """
    with TemporaryDirectory() as folder:
        of_uv, of_all = Path(folder, "uv.txt"), Path(folder, "all.txt")
        of_uv.write_text(locked("uv"), "utf-8")
        listing = ["export", "--quiet", "--frozen", "--all-extras", "--no-emit-project"]
        exact = ["--no-deps", "--require-hashes", "--requirement"]
        return (
            pip_install(*exact, of_uv)
            and not run("uv", *listing, "--output-file", of_all, stdout=subprocess.DEVNULL)
            and pip_install(*exact, of_all)
            and pip_install("--no-deps", "--no-build-isolation", "--editable", ".")
        )


def locked(name):
    """The requirement of one package with its hashes, read from `uv.lock` without uv."""
    import tomllib  # noqa: PLC0415 (an older Python has none, and is refused by `main`)

    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    (package,) = (package for package in packages if package["name"] == name)
    hashes = [file["hash"] for file in (package["sdist"], *package["wheels"])]
    return " --hash=".join([f"{name}=={package['version']}", *hashes])


def install_unlocked(what):
    """Install the project, editable, with the newest packages that pyproject.toml allows."""
    if not pip_install("--editable", what):
        sys.exit("The installation failed: see above. It needs a reachable package index.")


def need_pip():
    """Make `.venv` if it has no pip."""
    if run("python", "-m", "pip", "--version", stdout=subprocess.DEVNULL):
        make_venv()


def pip_install(*options):
    """Run `pip install` in `.venv`; whether it worked."""
    quietly = ["--quiet", "--disable-pip-version-check"]
    return not run("python", "-m", "pip", "install", *quietly, *options)


def install_servers():
    """Install the missing Debian packages of the servers that tests start, if this is root.

    Otherwise say that their tests are skipped. In CI they are not: without a server they fail.
    """
    missing = [package for package, paths in SERVERS.items() if not any(map(is_there, paths))]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"Not installed: {', '.join(missing)}. The tests that need it are left out, by name.")
        print("Install it yourself, or run this as root on Debian.", flush=True)
        return
    quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (UPDATE, [*INSTALL, *missing]):
        if subprocess.run(command, check=False, env=quietly).returncode:
            sys.exit(f"{', '.join(missing)} could not be installed: see above.")


def is_there(pattern):
    """Whether a file matches the pattern, or a program of that name is on the PATH."""
    return bool(shutil.which(pattern) or glob.glob(pattern))


def make_venv():
    """Create `.venv`. Exit with what is missing if that fails."""
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
    "simulate": simulate,
    "docs": docs,
    "audit": audit,
    "sbom": sbom,
}


def main():
    """Run the command that the first argument names."""
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
