"""The functions, files and SQLite transactions of the package that one call runs.

Two calls are traced, each in a real process that has answered the same call once before: a lookup
of a stored contact over stdio, and a POST to the service with its lookup and its delivered
callback. The counts are of distinct functions and methods of `mcp_enrichment` that run, and of
their files; lambdas and comprehensions count as part of their function. A transaction that changes
a row is a write transaction. With `--list`, the files and functions follow each row.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from mcp import Client, StdioServerParameters

from mcp_enrichment.contract.http import ENRICHMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

ADA = "https://www.linkedin.com/in/ada-okafor-example"
JONAS = "https://www.linkedin.com/in/jonas-wei%C3%9F-example"
SAMPLE = str(files("mcp_enrichment") / "data" / "Connections.csv")
PACKAGE = os.sep + "mcp_enrichment" + os.sep
CHANGES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
ENDS = ("COMMIT", "ROLLBACK", "END")
SETTLING = 1.0
"""Seconds after an answer in which pending writes still count as part of its call."""
PROGRAM = [sys.executable, "-m", "mcp_enrichment"]
ROOT = Path(__file__).parent.parent


class Recorder:
    """Records the functions that run between `start` and `stop`, in every thread."""

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()
        self.transactions: Counter[str] = Counter()
        self.is_on = False

    def install(self) -> None:
        """Trace functions with the profiler, and transactions with SQLite's trace callback."""
        sys.setprofile(self._profile)
        threading.setprofile(self._profile)
        connect = sqlite3.connect
        sqlite3.connect = sqlite3.dbapi2.connect = partial(self._connect, connect)  # type: ignore[attr-defined]
        signal.signal(signal.SIGUSR1, lambda *_: self.start())
        signal.signal(signal.SIGUSR2, lambda *_: self.stop())

    def start(self) -> None:
        self.codes.clear()
        self.transactions.clear()
        self.is_on = True

    def stop(self) -> None:
        """Write the counts, as one line of JSON, into the file that the parent named."""
        self.is_on = False
        functions: dict[str, list[str]] = {}
        for code in self.codes:
            if not code.co_name.startswith("<"):
                file = code.co_filename.rpartition(PACKAGE)[2]
                functions.setdefault(file, []).append(code.co_qualname)
        found = {
            "functions": functions,
            **{kind: self.transactions[kind] for kind in ("write", "read")},
        }
        written = Path(os.environ["CALL_PATH"])
        written.with_suffix(".new").write_text(json.dumps(found))
        written.with_suffix(".new").rename(written)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if self.is_on and event == "call" and PACKAGE in frame.f_code.co_filename:
            self.codes.add(frame.f_code)

    def _connect(self, connect: Any, *options: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*options, **named)
        connection.set_trace_callback(partial(self._statement, {}))
        return connection

    def _statement(self, connection: dict[str, str], statement: str) -> None:
        """Count a connection's transactions; a statement outside one counts as one."""
        word = statement.split(maxsplit=1)[0].upper().rstrip(";")
        kind = {"SELECT": "read", **dict.fromkeys(CHANGES, "write")}.get(word, "")
        if word == "BEGIN":
            connection["kind"] = "read"
        elif word in ENDS:
            self._count(connection.pop("kind", ""))
        elif "kind" not in connection:
            self._count(kind)
        elif kind == "write":
            connection["kind"] = kind

    def _count(self, kind: str) -> None:
        if self.is_on and kind:
            self.transactions[kind] += 1


def main(*, listed: bool) -> None:
    """Print a row for each of the two calls, and if `listed`, what each runs."""
    print(f"{'':32} functions  files  write and read transactions")
    for name, follow in (("stored lookup over stdio", stdio), ("POST to delivered callback", post)):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [*PROGRAM, "contacts", "import", SAMPLE],
                env=environment(Path(folder)),
                check=True,
                capture_output=True,
            )
            found = follow(Path(folder))
        functions = found["functions"]
        runs = sum(map(len, functions.values()))
        counts = f"{runs:9}  {len(functions):5}  {found['write']:5} {found['read']:5}"
        print(f"{name:32} {counts}")
        for file, names in sorted(functions.items() if listed else ()):
            print(f"  {file}: {', '.join(sorted(names))}")


def stdio(folder: Path) -> dict[str, Any]:
    """Trace a lookup of a stored contact by a client over stdio."""
    return anyio.run(_stdio, folder)


async def _stdio(folder: Path) -> dict[str, Any]:
    pid = folder / "pid"
    server = StdioServerParameters(
        command=sys.executable,
        args=[*child(folder)[1:], "serve"],
        env=environment(folder),
        cwd=ROOT,
    )
    async with Client(server) as client:
        await client.call_tool("request_email_enrichment", asked(JONAS, "personal"))
        os.kill(int(pid.read_text()), signal.SIGUSR1)
        result = await client.call_tool("request_email_enrichment", asked(ADA, "work"))
        assert "ada.okafor@example.com" in str(result.content)
        await anyio.sleep(SETTLING)
        os.kill(int(pid.read_text()), signal.SIGUSR2)
        return await anyio.to_thread.run_sync(written, folder)


def asked(url: str, kind: str) -> dict[str, Any]:
    """Return the arguments of the tool."""
    return {"linkedin_url": url, "type": kind, "wait_seconds": 20}


def post(folder: Path) -> dict[str, Any]:
    """Trace a POST to a service process, with its lookup and its callback."""
    ours = environment(folder)
    run = partial(subprocess.run, env=ours, check=True, capture_output=True, text=True)
    run([*PROGRAM, "teams", "add", "measured", "--credits", "100"])
    key = run([*PROGRAM, "keys", "create", "measured"]).stdout.strip()
    with receiver() as (callback_url, arrived), service(folder, callback_url) as (url, pid):
        ask = partial(httpx.post, url + ENRICHMENTS, headers={"x-api-key": key})
        for profile, kind in ((JONAS, "personal"), (ADA, "work")):
            if profile == ADA:
                os.kill(pid, signal.SIGUSR1)
            body = {"linkedin_url": profile, "type": kind, "callback_url": callback_url}
            ask(json=body).raise_for_status()
            assert arrived.acquire(timeout=60)
            time.sleep(SETTLING)
        os.kill(pid, signal.SIGUSR2)
        return written(folder)


@contextlib.contextmanager
def receiver() -> Iterator[tuple[str, threading.Semaphore]]:
    """A URL for callbacks, and a semaphore that is released once for each that arrives."""
    arrived = threading.Semaphore(0)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            arrived.release()

        def log_message(self, *_: object) -> None:
            """Write nothing to stderr."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", arrived
        server.shutdown()


@contextlib.contextmanager
def service(folder: Path, callback_url: str) -> Iterator[tuple[str, int]]:
    """A service process: its URL and its process id."""
    port = callback_url.rstrip("/").rpartition(":")[2]
    allowed = {
        "ENRICHMENT_CALLBACK_NETWORKS": "127.0.0.0/8",
        "ENRICHMENT_CALLBACK_PORTS": port,
        "ENRICHMENT_CALLBACK_DELAYS": "0,1,1",
    }
    command = [*child(folder), "service", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(folder) | allowed, cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        url = json.loads(process.stderr.readline())["message"].split()[2]
        yield url, process.pid
        process.kill()


def child(folder: Path) -> list[str]:
    """The first part of a command line that is traced."""
    return [sys.executable, "-m", "bench.call_path", "child", str(folder / "pid")]


def environment(folder: Path) -> dict[str, str]:
    """An environment with the database, the state file and the counts in one folder."""
    ours = {"DATA_DIR": str(folder / "data"), "STATE_DIR": str(folder / "state")}
    named = {f"ENRICHMENT_{name}": value for name, value in ours.items()}
    return {**os.environ, **named, "CALL_PATH": str(folder / "counts")}


def written(folder: Path) -> dict[str, Any]:
    """The counts of the child, once it has written them."""
    while not (counts := folder / "counts").exists():
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(counts.read_text())
    return found


def follow_command(pid: str, *command: str) -> None:
    """Run one of the program's commands and trace it."""
    Path(pid).write_text(str(os.getpid()))
    Recorder().install()
    from mcp_enrichment.cli import main as run  # after SQLite is traced

    run(command)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        follow_command(*sys.argv[2:])
    else:
        main(listed="--list" in sys.argv)
