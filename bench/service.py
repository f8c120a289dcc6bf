"""The service under load, relative to a bare route of the same server and to plain sqlite3.

Accepted POSTs, GETs and completed lookups a second, at 1, 8 and 64 connections, with 10,000 and
with 1,000,000 requests stored, all in turn, round by round. Goal: with a million at most 1.2 times
slower, by the rate, by p50 and by p99. Exits with code 1 if it is missed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import Run, answer_to, figures_of, get, load, post
from bench.processes import process
from bench.stored import plain_sqlite, prepare
from mcp_enrichment.contract.http import ENRICHMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.load import Figures

CONNECTIONS = (1, 8, 64)
SIZES = (10_000, 1_000_000)
SECONDS = 2.0
ROUNDS = 5
GOAL = 1.2
DRAIN_SECONDS = 120.0
KINDS = ("POST", "GET", "ends")
BARE, PLAIN = "a bare route", "plain sqlite3"

_numbers = itertools.count()


@dataclass
class Bench:
    """The running servers and their results: runs by kind, server and number of connections."""

    homes: dict[int, Path]
    keys: dict[int, str]
    ports: dict[int, int]
    bare: int
    plain: Path
    runs: defaultdict[tuple[str, str, int], list[Run]] = field(
        default_factory=lambda: defaultdict(list)
    )

    async def round(self, connections: int) -> None:
        """Run everything once, one after the other."""
        for size in SIZES:
            posts, ends = await self._post(size, connections)
            where = f"{size:,} stored"
            self.runs["POST", where, connections].append(posts)
            self.runs["ends", where, connections].append(ends)
            self.runs["GET", where, connections].append(await self._get(size, connections))
        for kind, request, status in (
            ("POST", post("/", b"{}"), b"201"),
            ("GET", get("/"), b"200"),
        ):
            run = await load(self.bare, connections, SECONDS, lambda r=request: r, status)
            self.runs[kind, BARE, connections].append(run)
        if connections == 1:  # it has one writer in any case
            self.runs["POST", PLAIN, connections].append(plain_sqlite(self.plain, SECONDS))

    async def _post(self, size: int, connections: int) -> tuple[Run, Run]:
        """Run POSTs, and measure their lookups: from acceptance to completion."""
        key, database = self.keys[size], self.homes[size] / "enrichment.db"
        since, began = time.time(), time.perf_counter()
        posts = await load(self.ports[size], connections, SECONDS, lambda: asked(key), b"201")
        await until_drained(database)
        elapsed = time.perf_counter() - began
        with closing(sqlite3.connect(database)) as db:
            query = "SELECT completed_at - created_at FROM requests WHERE created_at >= ?"
            taken = [seconds for (seconds,) in db.execute(query, (since,))]
        return posts, Run(taken, elapsed)

    async def _get(self, size: int, connections: int) -> Run:
        key, port = self.keys[size], self.ports[size]
        one = json.loads(await answer_to(port, asked(key), b"201"))["_id"]
        await until_drained(self.homes[size] / "enrichment.db")
        reading = get(f"{ENRICHMENTS}/{one}", x_api_key=key)
        return await load(port, connections, SECONDS, lambda: reading, b"200")

    def told(self) -> Iterator[tuple[str, Figures]]:
        """The rows to print, in order."""
        for connections, kind in itertools.product(CONNECTIONS, KINDS):
            for (its_kind, where, its_connections), runs in self.runs.items():
                if (its_kind, its_connections) == (kind, connections):
                    yield f"{kind:4} {connections:2} conn.  {where:16}", figures_of(runs)

    def ratios(self) -> Iterator[tuple[str, float]]:
        """How many times slower it is with the most stored than with the fewest."""
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
    homes = {size: folder / str(size) for size in SIZES}
    keys = {size: prepare(home, size) for size, home in homes.items()}
    prepare(folder / "plain", SIZES[0])
    ports = {
        size: running.enter_context(
            process(
                ["-m", "mcp_enrichment", "service", "--port"],
                {"ENRICHMENT_DATA_DIR": str(home), "ENRICHMENT_RATE_LIMIT": "1000000"},
            )
        )
        for size, home in homes.items()
    }
    bare = running.enter_context(process([str(Path(__file__).parent / "bare_route.py")]))
    plain = folder / "plain" / "enrichment.db"
    return Bench(homes=homes, keys=keys, ports=ports, bare=bare, plain=plain)


async def until_drained(database: Path) -> None:
    """Return when no job is left."""
    with closing(sqlite3.connect(database)) as db:
        deadline = time.monotonic() + DRAIN_SECONDS
        while db.execute("SELECT count(*) FROM jobs").fetchone()[0]:
            assert time.monotonic() < deadline, "the jobs are not done in time"
            await asyncio.sleep(0.02)


def asked(key: str) -> bytes:
    """A POST for a profile that was not requested before."""
    url = f"https://www.linkedin.com/in/pat-example-{next(_numbers):09}"
    body = json.dumps({"linkedin_url": url, "type": "work"}).encode()
    return post(ENRICHMENTS, body, x_api_key=key)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
