"""The service relative to its floor: the same HTTP server and the same rows, by raw statements.

POSTs and GETs a second at 1, 8 and 64 connections, both servers in turn, round by round; the
medians and their ratio. The service also runs the lookups of its POSTs in the meantime, so its
completed lookups a second are printed, too. The floor runs none. The processor time of a POST, of
ours with its lookup, and of a GET depends less than the rates on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench.processes import Listening, cpu_seconds, listening
from bench.service_load import Target, service
from bench.stored import prepare

CONNECTIONS = (1, 8, 64)
STORED = 10_000
ROUNDS = 5
SECONDS = 2.0
WARM_UP = 0.5
FLOOR, OURS = "floor", "ours"
SERVER = str(Path(__file__).parent / "floor_server.py")


async def main(rounds: int, seconds: float) -> int:
    """Print a line for each number of connections and each kind of request."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        servers = set_up(Path(folder), running)
        for name, server in servers.items():  # the first requests wait for imports
            await measured(*server, 1, WARM_UP, name)
        for connections in CONNECTIONS:
            found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
            for _, (name, server) in itertools.product(range(rounds), servers.items()):
                for what, figure in (await measured(*server, connections, seconds, name)).items():
                    found[name, what].append(figure)
            show(connections, {what: statistics.median(each) for what, each in found.items()})
    return 0


def set_up(folder: Path, running: ExitStack) -> dict[str, tuple[Target, int]]:
    """Both servers, each over a database of its own, with their process ids."""
    keys = {name: prepare(folder / name, STORED) for name in (FLOOR, OURS)}
    servers = {FLOOR: listening([SERVER, str(folder / FLOOR)]), OURS: service(folder / OURS)}
    started: dict[str, Listening] = {
        name: running.enter_context(server) for name, server in servers.items()
    }
    return {
        name: (Target(folder / name / "enrichment.db", keys[name], server.port), server.pid)
        for name, server in started.items()
    }


async def measured(
    target: Target, pid: int, connections: int, seconds: float, name: str
) -> dict[str, float]:
    """The requests a second of one server, and their processor time in milliseconds, by kind."""
    began = cpu_seconds(pid)
    if name == OURS:
        posts, ends = await target.posts_and_completions(connections, seconds)
        runs = {"POST": posts, "completed": ends}
    else:
        runs = {"POST": await target.posts(connections, seconds)}
    posted = cpu_seconds(pid)
    runs["GET"] = await target.gets(connections, seconds)
    used = {"POST": posted - began, "GET": cpu_seconds(pid) - posted}
    costs = {f"ms of a {kind}": 1000 * used[kind] / len(runs[kind].taken) for kind in used}
    return {kind: len(run.taken) / run.elapsed for kind, run in runs.items()} | costs


def show(connections: int, found: dict[tuple[str, str], float]) -> None:
    """The figures of one number of connections."""
    for kind in ("POST", "GET"):
        (floor, ours), (floor_ms, ours_ms) = (
            [found[name, what] for name in (FLOOR, OURS)] for what in (kind, f"ms of a {kind}")
        )
        print(
            f"{kind:4} {connections:2} conn.  floor {floor:6.0f}/s  ours {ours:6.0f}/s"
            f"  the floor is {floor / ours:.1f} times faster"
            f"  processor time {floor_ms:.2f} and {ours_ms:.2f} ms"
        )
    print(f"     {connections:2} conn.  lookups completed by ours {found[OURS, 'completed']:.0f}/s")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    chosen = options.parse_args()
    sys.exit(asyncio.run(main(chosen.rounds, chosen.seconds)))
