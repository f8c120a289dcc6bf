"""The service under load, beside a bare route of the same server and beside plain sqlite3.

Accepted POSTs, GETs and ended lookups a second, at 1, 8 and 64 connections, with 10,000 and with
1,000,000 requests stored. Goal: with a million at most 1.2 times slower.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import Figures, figures_of, get, load, post
from mcp_enrichment.contract.paths import ENRICHMENTS
from mcp_enrichment.service.domain import keys, teams
from mcp_enrichment.service.store.database import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = (1, 8, 64)
SIZES = (10_000, 1_000_000)
SECONDS = 2.0
ROUNDS = 5
CREDITS = 10_000_000
DRAIN_SECONDS = 120.0
BARE = Path(__file__).parent / "bare_route.py"

_numbers = itertools.count()


async def main() -> None:
    """Print all figures, and the ratios that the goals are about."""
    with tempfile.TemporaryDirectory() as folder, bare_route() as bare:
        homes = {size: Path(folder) / str(size) for size in SIZES}
        keys_of = {size: prepare(home, size) for size, home in homes.items()}
        with ExitStack() as running:
            ports = {size: running.enter_context(service(home)) for size, home in homes.items()}
            measured = await all_figures(ports, keys_of)
        for connections, (size, home) in itertools.product(CONNECTIONS, homes.items()):
            figures = await lookups(home, keys_of[size], connections)
            print(f"{size:9,} stored  ends {connections:2} conn.  {figures}")
        for connections in CONNECTIONS:
            for name, request, status in (
                ("GET", get("/"), b"200"),
                ("POST", post("/", b"{}"), b"201"),
            ):
                figures = await load(bare, connections, SECONDS, lambda r=request: r, status)
                print(f"bare route       {name:4} {connections:2} conn.  {figures}")
        print(f"plain sqlite3    the POST's statements  {plain_sqlite(Path(folder)):7.0f}/s")
        for name, (few, many) in measured.items():
            ratio = few.per_second / many.per_second
            print(f"{name}: 1,000,000 stored are {ratio:.2f} times slower (goal: ≤ 1.2)")


async def all_figures(
    ports: dict[int, int], keys_of: dict[int, str]
) -> dict[str, tuple[Figures, Figures]]:
    """POSTs and GETs at each number of connections: the median of rounds that take turns."""
    measured = {}
    for connections, kind in itertools.product(CONNECTIONS, ("POST", "GET")):
        rounds: dict[int, list[Figures]] = {size: [] for size in SIZES}
        for _, size in itertools.product(range(ROUNDS), SIZES):
            rounds[size].append(await one_round(ports[size], keys_of[size], kind, connections))
        few, many = (
            sorted(found, key=lambda f: f.per_second)[ROUNDS // 2] for found in rounds.values()
        )
        measured[f"{kind:4} {connections:2} conn."] = few, many
        for size, figures in zip(SIZES, (few, many), strict=True):
            print(f"{size:9,} stored  {kind:4} {connections:2} conn.  {figures}")
    return measured


async def one_round(port: int, key: str, kind: str, connections: int) -> Figures:
    """One kind of request for `SECONDS`."""
    if kind == "POST":
        return await load(port, connections, SECONDS, lambda: new_request(key), b"201")
    one = json.loads(await answer_to(port, new_request(key)))["_id"]
    reading = get(f"{ENRICHMENTS}/{one}", x_api_key=key)
    return await load(port, connections, SECONDS, lambda: reading, b"200")


async def lookups(home: Path, key: str, connections: int) -> Figures:
    """Requests ended a second while POSTs come over so many connections, and how long each took
    from its acceptance to its end."""
    database = home / "enrichment.db"
    with service(home) as port:
        await until_drained(database)
        since, began = time.time(), time.perf_counter()
        await load(port, connections, SECONDS, lambda: new_request(key), b"201")
        await until_drained(database)
        elapsed = time.perf_counter() - began
    with closing(sqlite3.connect(database)) as db:
        query = "SELECT ended_at - created_at FROM requests WHERE created_at >= ? ORDER BY 1"
        taken = [seconds for (seconds,) in db.execute(query, (since,))]
    return figures_of(taken, elapsed)


async def until_drained(database: Path) -> None:
    """Return when no job is left."""
    with closing(sqlite3.connect(database)) as db:
        deadline = time.monotonic() + DRAIN_SECONDS
        while db.execute("SELECT count(*) FROM jobs").fetchone()[0]:
            assert time.monotonic() < deadline, "the jobs are not done in time"
            await asyncio.sleep(0.02)


async def answer_to(port: int, request: bytes) -> bytes:
    """The body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(
        int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    )
    writer.close()
    return body


def new_request(key: str) -> bytes:
    """A POST about somebody who was not asked for before."""
    url = f"https://www.linkedin.com/in/pat-example-{next(_numbers):09}"
    body = json.dumps({"linkedin_url": url, "type": "work"}).encode()
    return post(ENRICHMENTS, body, x_api_key=key)


def prepare(home: Path, size: int) -> str:
    """A database with so many ended requests and their ledger; a key of its team."""
    database = open_sqlite(home / "enrichment.db")
    team = database.write_now(lambda c: teams.add(c, "bench", CREDITS, at=time.time()))
    key = database.write_now(lambda c: keys.create(c, "bench", at=time.time())).key
    database.close()
    with closing(sqlite3.connect(home / "enrichment.db")) as db, db:
        url = "https://www.linkedin.com/in/old-example-"
        rows = (
            (f"{n:024x}", team, f"{url}{n}", "work", "not-found", 0.0, 1.0) for n in range(size)
        )
        db.executemany(
            "INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at, ended_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        for kind in ("hold", "release"):
            db.execute(
                "INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)"
                " SELECT team_id, id, ?, 1, 0, 0.0 FROM requests",
                (kind,),
            )
    return key


def plain_sqlite(folder: Path) -> float:
    """Transactions a second of the statements that a POST needs, by Python's own module."""
    home = folder / "plain"
    prepare(home, 10_000)
    with closing(sqlite3.connect(home / "enrichment.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            name, url = os.urandom(12).hex(), f"https://www.linkedin.com/in/p-{next(_numbers)}"
            db.execute("BEGIN IMMEDIATE")
            db.execute("SELECT 1 FROM requests WHERE team_id = 1 AND linkedin_url = ?", (url,))
            db.execute(
                "INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at)"
                " VALUES (?, 1, ?, 'work', 'pending', 0.0)",
                (name, url),
            )
            db.execute("UPDATE teams SET available = available - 1, held = held + 1 WHERE id = 1")
            db.execute(
                "INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)"
                " VALUES (1, ?, 'hold', 1, 0, 0.0)",
                (name,),
            )
            db.execute(
                "INSERT INTO jobs (subject, kind, team_id, due_at, claims)"
                " VALUES (?, 'look-up', 1, 0.0, 0)",
                (name,),
            )
            db.execute("COMMIT")
            count += 1
        return count / (time.perf_counter() - began)


@contextmanager
def service(home: Path) -> Iterator[int]:
    """The real command over this folder; its port."""
    settings = {"ENRICHMENT_DATA_DIR": str(home), "ENRICHMENT_RATE_LIMIT": "1000000"}
    with process(["-m", "mcp_enrichment", "service", "--port"], settings) as port:
        yield port


@contextmanager
def bare_route() -> Iterator[int]:
    """The bare route's port."""
    with process([str(BARE)], {}) as port:
        yield port


@contextmanager
def process(command: list[str], settings: dict[str, str]) -> Iterator[int]:
    """A server as a process of its own, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, *command, str(port)],
        env={**os.environ, **settings},
        stderr=subprocess.DEVNULL,
    )
    try:
        until_listening(port)
        yield port
    finally:
        running.terminate()
        running.wait(timeout=20)


def until_listening(port: int) -> None:
    """Return once it accepts connections."""
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the server did not start")


if __name__ == "__main__":
    asyncio.run(main())
