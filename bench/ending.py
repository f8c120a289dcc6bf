"""The time from the closing of stdin, or a signal, to the end of the process, while work is
running.

Prints the longest of several rounds of each. Goal: 1 s. Exits with code 1 if it is missed.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.over_stdio import as_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Server = subprocess.Popen[bytes]

ROUNDS = 5
WAITS = 100
GIVEN_UP = 20.0
GOAL = 1.0
ENDINGS = {"stdin closed": None, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


def main() -> int:
    """Print the longest of each; return 1 if one is too long."""
    missed = 0
    situations = {
        f"{WAITS} waits under way": waiting,
        "answers that nobody reads": not_reading,
        "a database that another process holds": database_held,
    }
    for (situation, within), (ending, number) in itertools.product(
        situations.items(), ENDINGS.items()
    ):
        longest = max(one_round(within, number) for _ in range(ROUNDS))
        missed += longest > GOAL
        print(f"{situation:38} {ending:13} {longest:5.3f} s (goal: ≤ {GOAL:.0f} s)")
    return 1 if missed else 0


def one_round(within: Callable[[Path], Iterator[Server]], number: signal.Signals | None) -> float:
    """Bring a server into the situation, and end it."""
    with tempfile.TemporaryDirectory() as folder, contextmanager(within)(Path(folder)) as server:
        assert server.stdin
        began = time.perf_counter()
        if number is None:
            server.stdin.close()
        else:
            server.send_signal(number)
        server.wait(GIVEN_UP)
        return time.perf_counter() - began


def waiting(folder: Path) -> Iterator[Server]:
    """Calls wait for a service that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with started(folder, ENRICHMENT_API_URL=url) as server:
            for number in range(WAITS):
                say(
                    server, number, "tools/call", name="wait_for_enrichment", arguments={"ids": "a"}
                )
            silent.accept()
            yield server


def not_reading(folder: Path) -> Iterator[Server]:
    """The client has sent requests until the pipes were full, and read nothing."""
    with started(folder) as server:
        assert server.stdin
        os.set_blocking(server.stdin.fileno(), False)
        while select.select([], [server.stdin], [], 0.5)[1]:
            os.write(server.stdin.fileno(), as_line(1, "tools/list") * 100)
        yield server


def database_held(folder: Path) -> Iterator[Server]:
    """The leases cannot be released, as the database is locked."""
    with started(folder) as server:
        say(server, 1, "tools/call", name="get_credits", arguments={})
        assert server.stdout
        server.stdout.readline()
        with closing(sqlite3.connect(folder / "enrichment.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            yield server


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Server]:
    """The command, once it has answered."""
    folders = {f"ENRICHMENT_{name}_DIR": str(folder) for name in ("DATA", "STATE")}
    with subprocess.Popen(
        [sys.executable, "-m", "mcp_enrichment"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, **folders, **settings},
    ) as server:
        try:
            say(server, 0, "tools/list")
            assert server.stdout
            server.stdout.readline()
            yield server
        finally:
            server.kill()


def say(server: Server, number: int, method: str, **params: object) -> None:
    """Send a request."""
    assert server.stdin
    server.stdin.write(as_line(number, method, **params))


if __name__ == "__main__":
    sys.exit(main())
