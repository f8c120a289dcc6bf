"""From the completion of a lookup to the answer of a GET that was held for it, over HTTP.

Each lookup has two GETs: one is held by the process that completes it, one by another process on
the same file, which learns of the outcome from the database alone. Then nothing changes: the share
of a core that the other process takes while it holds one GET, and while it holds none. Exits with
code 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import answer_to, get, post
from bench.processes import cpu_seconds, listening, process
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bench.processes import Listening

LOOKUPS = 200  # a new installation has 250 credits
PAUSE = 0.02
GOALS = {"same process": 50, "another process": 20}
"""Milliseconds, of p95."""
IDLE_SECONDS = 5
IDLE_GOAL = 0.5
"""Percent of a core, more than with none held."""
SERVER = str(Path(__file__).parent / "held_service.py")


async def main() -> int:
    """Print p50 and p95 for both, and the shares of a core; return 1 if a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "enrichment.db"
        key = create_key(file)
        with (
            process([SERVER, str(file), "works"]) as works,
            listening([SERVER, str(file), "holds"]) as holds,
        ):
            answered = await held(works, dict(zip(GOALS, (works, holds.port), strict=True)), key)
        with listening([SERVER, str(file), "holds"]) as holds:
            none, one = await idle(holds, key)
        with closing(sqlite3.connect(file)) as db:
            ended = dict(db.execute("SELECT id, completed_at FROM requests"))
    missed = 0
    for name, times in answered.items():
        delays = sorted(at - ended[request_id] for request_id, at in times.items())
        p50, p95 = (delays[int(len(delays) * share)] * 1000 for share in (0.5, 0.95))
        missed += p95 > GOALS[name]
        print(f"{name:16} p50 {p50:5.1f} ms, p95 {p95:5.1f} ms (goal: p95 ≤ {GOALS[name]} ms)")
    missed += one - none > IDLE_GOAL
    print(
        f"idle, one GET held: {one:.2f} % of a core, none held: {none:.2f} % "
        f"(goal: at most {IDLE_GOAL} % more)"
    )
    return 1 if missed else 0


async def idle(server: Listening, key: str) -> tuple[float, float]:
    """Percent of a core that an idle process takes: with no GET held, and with one."""
    request_id = json.loads(await answer_to(server.port, asked(0, key), b"201"))["_id"]
    none = await share_of_core(server.pid)
    wait = get(f"{ENRICHMENTS}/{request_id}", prefer=f"wait={2 * IDLE_SECONDS}", x_api_key=key)
    holding = asyncio.create_task(answer_to(server.port, wait, b"200"))
    one = await share_of_core(server.pid)
    assert not holding.done()
    await holding
    return none, one


async def share_of_core(pid: int) -> float:
    """Percent, over `IDLE_SECONDS`."""
    await asyncio.sleep(1)  # lets earlier work finish
    used, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - used) / (time.perf_counter() - began) * 100


async def held(works: int, holders: dict[str, int], key: str) -> dict[str, dict[str, float]]:
    """When each process answered, by request, for lookups that begin one after the other."""
    answered: dict[str, dict[str, float]] = {name: {} for name in holders}

    async def hold(name: str, request_id: str) -> None:
        where = f"{ENRICHMENTS}/{request_id}"
        wait = get(where, prefer="wait=30", x_api_key=key)
        body = json.loads(await answer_to(holders[name], wait, b"200"))
        assert body["status"] == "not-found", body
        answered[name][request_id] = time.time()

    async with asyncio.TaskGroup() as tasks:
        for number in range(LOOKUPS):
            request_id = json.loads(await answer_to(works, asked(number, key), b"201"))["_id"]
            for name in holders:
                tasks.create_task(hold(name, request_id))
            await asyncio.sleep(PAUSE)
    return answered


def create_key(file: Path) -> str:
    """A new database in this file, and a key of its team."""

    def create(connection: Connection) -> str:
        embedded_team(connection, at=time.time())
        return api_keys.create(connection, DEFAULT_TEAM, at=time.time()).key

    with closing(open_sqlite(file)) as database:
        return database.write_now(create)


def asked(number: int, key: str) -> bytes:
    """A POST for the profile with this number."""
    url = f"https://www.linkedin.com/in/pat-example-{number:04}"
    body = json.dumps({"linkedin_url": url, "type": "work"}).encode()
    return post(ENRICHMENTS, body, x_api_key=key)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
