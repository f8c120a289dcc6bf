"""From the completion of a lookup to the answer of a GET that was held for it, over HTTP.

Each lookup has two GETs: one is held by the process that completes it, one by another process on
the same file, which learns of the outcome from the database alone. Goals: p95 under 50 ms, and
under 300 ms. Exits with code 1 if one is missed.
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

from bench.load import answer_to, get, post
from bench.processes import process
from mcp_enrichment.contract.http import ENRICHMENTS

LOOKUPS = 200  # a new installation has 250 credits
PAUSE = 0.02
GOALS = {"same process": 50, "another process": 300}
SERVER = str(Path(__file__).parent / "held_service.py")


async def main() -> int:
    """Print p50 and p95 for both; return 1 if a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "enrichment.db"
        with (
            process([SERVER, str(file), "works"]) as works,
            process([SERVER, str(file), "holds"]) as holds,
        ):
            answered = await held(works, dict(zip(GOALS, (works, holds), strict=True)))
        with closing(sqlite3.connect(file)) as db:
            ended = dict(db.execute("SELECT id, completed_at FROM requests"))
    missed = 0
    for name, times in answered.items():
        delays = sorted(at - ended[request_id] for request_id, at in times.items())
        p50, p95 = (delays[int(len(delays) * share)] * 1000 for share in (0.5, 0.95))
        missed += p95 > GOALS[name]
        print(f"{name:16} p50 {p50:5.1f} ms, p95 {p95:5.1f} ms (goal: p95 ≤ {GOALS[name]} ms)")
    return 1 if missed else 0


async def held(works: int, holders: dict[str, int]) -> dict[str, dict[str, float]]:
    """When each process answered, by request, for lookups that begin one after the other."""
    answered: dict[str, dict[str, float]] = {name: {} for name in holders}

    async def hold(name: str, request_id: str) -> None:
        where = f"{ENRICHMENTS}/{request_id}"
        body = json.loads(await answer_to(holders[name], get(where, prefer="wait=30"), b"200"))
        assert body["status"] == "not-found", body
        answered[name][request_id] = time.time()

    async with asyncio.TaskGroup() as tasks:
        for number in range(LOOKUPS):
            url = f"https://www.linkedin.com/in/pat-example-{number:04}"
            asked = json.dumps({"linkedin_url": url, "type": "work"}).encode()
            request_id = json.loads(await answer_to(works, post(ENRICHMENTS, asked), b"201"))["_id"]
            for name in holders:
                tasks.create_task(hold(name, request_id))
            await asyncio.sleep(PAUSE)
    return answered


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
