"""The service relative to its floor: the same HTTP server and the same rows, by raw statements.

POSTs and GETs a second at 1, 8 and 64 connections, both servers in turn, round by round; the
medians and their ratio. The service also runs the lookups of its POSTs in the meantime, so its
completed lookups a second are printed, too. The floor runs none.
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

from bench.processes import process
from bench.service_load import Target, service
from bench.stored import prepare

CONNECTIONS = (1, 8, 64)
STORED = 10_000
ROUNDS = 5
SECONDS = 2.0
FLOOR, OURS = "floor", "ours"
SERVER = str(Path(__file__).parent / "floor_server.py")


async def main(rounds: int, seconds: float) -> int:
    """Print a line for each number of connections and each kind of request."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        targets = set_up(Path(folder), running)
        for connections in CONNECTIONS:
            rates: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
            for _, (name, target) in itertools.product(range(rounds), targets.items()):
                for kind, rate in (await measured(target, connections, seconds, name)).items():
                    rates[name, kind].append(rate)
            show(connections, {what: statistics.median(each) for what, each in rates.items()})
    return 0


def set_up(folder: Path, running: ExitStack) -> dict[str, Target]:
    """Both servers, each over a database of its own."""
    keys = {name: prepare(folder / name, STORED) for name in (FLOOR, OURS)}
    servers = {FLOOR: process([SERVER, str(folder / FLOOR)]), OURS: service(folder / OURS)}
    return {
        name: Target(folder / name / "enrichment.db", keys[name], running.enter_context(server))
        for name, server in servers.items()
    }


async def measured(target: Target, connections: int, seconds: float, name: str) -> dict[str, float]:
    """The requests and lookups of one server in a second, by kind."""
    if name == OURS:
        posts, ends = await target.posts_and_completions(connections, seconds)
        runs = {"POST": posts, "completed": ends}
    else:
        runs = {"POST": await target.posts(connections, seconds)}
    runs["GET"] = await target.gets(connections, seconds)
    return {kind: len(run.taken) / run.elapsed for kind, run in runs.items()}


def show(connections: int, rates: dict[tuple[str, str], float]) -> None:
    """The rates of one number of connections."""
    for kind in ("POST", "GET"):
        floor, ours = rates[FLOOR, kind], rates[OURS, kind]
        print(
            f"{kind:4} {connections:2} conn.  floor {floor:6.0f}/s  ours {ours:6.0f}/s"
            f"  the floor is {floor / ours:.1f} times faster"
        )
    print(f"     {connections:2} conn.  lookups completed by ours {rates[OURS, 'completed']:.0f}/s")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    chosen = options.parse_args()
    sys.exit(asyncio.run(main(chosen.rounds, chosen.seconds)))
