"""The service under load, relative to a bare route of the same server and to plain sqlite3.

Accepted POSTs, GETs and completed lookups a second, at 1, 8 and 64 connections, with 10,000 and
with 1,000,000 requests stored, all in turn, round by round. Goal: with a million at most 1.2 times
slower, by the rate, by p50 and by p99. Exits with code 1 if it is missed.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import Run, figures_of, get, load, post
from bench.processes import process
from bench.service_load import Target, service
from bench.stored import plain_sqlite, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.load import Figures

CONNECTIONS = (1, 8, 64)
SIZES = (10_000, 1_000_000)
SECONDS = 2.0
ROUNDS = 5
GOAL = 1.2
KINDS = ("POST", "GET", "ends")
BARE, PLAIN = "a bare route", "plain sqlite3"


@dataclass
class Bench:
    """The running servers and their results: runs by kind, server and number of connections."""

    services: dict[int, Target]
    """By how many requests are stored."""
    bare: int
    plain: Path
    runs: defaultdict[tuple[str, str, int], list[Run]] = field(
        default_factory=lambda: defaultdict(list)
    )

    async def round(self, connections: int) -> None:
        """Run everything once, one after the other."""
        for size, target in self.services.items():
            posts, ends = await target.posts_and_completions(connections, SECONDS)
            where = f"{size:,} stored"
            self.runs["POST", where, connections].append(posts)
            self.runs["ends", where, connections].append(ends)
            self.runs["GET", where, connections].append(await target.gets(connections, SECONDS))
        for kind, request, status in (
            ("POST", post("/", b"{}"), b"201"),
            ("GET", get("/"), b"200"),
        ):
            run = await load(self.bare, connections, SECONDS, lambda r=request: r, status)
            self.runs[kind, BARE, connections].append(run)
        if connections == 1:  # it has one writer in any case
            self.runs["POST", PLAIN, connections].append(plain_sqlite(self.plain, SECONDS))

    def told(self) -> Iterator[tuple[str, Figures]]:
        """The rows to print, in order."""
        for connections, kind in itertools.product(CONNECTIONS, KINDS):
            for (its_kind, where, its_connections), runs in self.runs.items():
                if (its_kind, its_connections) == (kind, connections):
                    yield f"{kind:4} {connections:2} conn.  {where:16}", figures_of(runs)

    def ratios(self) -> Iterator[tuple[str, float]]:
        """The factor by which it is slower with the most stored than with the fewest."""
        few, many = (f"{size:,} stored" for size in SIZES)
        for connections, kind in itertools.product(CONNECTIONS, KINDS):
            a, b = (figures_of(self.runs[kind, where, connections]) for where in (few, many))
            for name, ratio in (
                ("rate", a.per_second / b.per_second),
                ("p50", b.p50 / a.p50),
                ("p99", b.p99 / a.p99),
            ):
                yield f"{kind:4} {connections:2} conn.  {name}", ratio


async def main() -> int:
    """Print all figures, and the ratios that the goal is about; return 1 if it is missed."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        bench = set_up(Path(folder), running)
        for connections, _ in itertools.product(CONNECTIONS, range(ROUNDS)):
            await bench.round(connections)
    for what, figures in bench.told():
        print(f"{what}  {figures}")
    missed = 0
    for what, ratio in bench.ratios():
        missed += ratio > GOAL
        verdict = "  MISSED" if ratio > GOAL else ""
        print(f"{what:18} {ratio:.2f} times slower with {SIZES[1]:,} (goal: ≤ {GOAL}){verdict}")
    return 1 if missed else 0


def set_up(folder: Path, running: ExitStack) -> Bench:
    """Both databases with their services, the bare route, and a database for plain sqlite3."""
    keys = {size: prepare(folder / str(size), size) for size in SIZES}
    prepare(folder / "plain", SIZES[0])
    services = {
        size: Target(
            folder / str(size) / "enrichment.db",
            key,
            running.enter_context(service(folder / str(size))).port,
        )
        for size, key in keys.items()
    }
    bare = running.enter_context(process([str(Path(__file__).parent / "bare_route.py")]))
    return Bench(services=services, bare=bare, plain=folder / "plain" / "enrichment.db")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
