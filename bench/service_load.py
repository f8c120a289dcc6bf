"""POSTs and GETs under load, against a service over a database of `bench.stored`."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from bench.load import Run, get, load, post
from bench.processes import listening
from bench.stored import ANSWERED
from mcp_enrichment.contract.http import ENRICHMENTS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.processes import Listening

DRAIN_SECONDS = 120.0

_numbers = itertools.count()


class Target(NamedTuple):
    """A server over a database."""

    database: Path
    key: str
    port: int

    async def posts(self, connections: int, seconds: float) -> Run:
        """Each POST is for a profile that was not requested before."""
        return await load(self.port, connections, seconds, lambda: asked(self.key), b"201")

    async def posts_and_completions(self, connections: int, seconds: float) -> tuple[Run, Run]:
        """Run POSTs, and measure their lookups: from acceptance to completion."""
        since, began = time.time(), time.perf_counter()
        posts = await self.posts(connections, seconds)
        await until_drained(self.database)
        elapsed = time.perf_counter() - began
        with closing(sqlite3.connect(self.database)) as db:
            query = "SELECT completed_at - created_at FROM requests WHERE created_at >= ?"
            taken = [seconds for (seconds,) in db.execute(query, (since,))]
        return posts, Run(taken, elapsed)

    async def gets(self, connections: int, seconds: float) -> Run:
        """Each GET reads the same request, which has an email."""
        reading = get(f"{ENRICHMENTS}/{ANSWERED}", x_api_key=self.key)
        return await load(self.port, connections, seconds, lambda: reading, b"200")


def service(home: Path) -> AbstractContextManager[Listening]:
    """`mcp-enrichment service` over the database in this folder."""
    settings = {"ENRICHMENT_DATA_DIR": str(home), "ENRICHMENT_RATE_LIMIT": "1000000"}
    return listening(["-m", "mcp_enrichment", "service", "--port"], settings)


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
