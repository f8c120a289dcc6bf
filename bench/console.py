"""The time of each page of the console with a million requests stored. Goal: p95 up to 100 ms.

The pages are called in this process, over a SQLite file. Lists are also read from the middle, and
with a filter that nothing fits. The findings of the doctor are left out: they are made at most
every 30 seconds.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from mcp_enrichment.console.console import Console, Facts
from mcp_enrichment.console.routes import routes
from mcp_enrichment.console.sessions import LOCAL, Sessions
from mcp_enrichment.console.visits import COOKIES, ROOT
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.http.rate_limit import RateLimit
from mcp_enrichment.service.http.service_app import ServiceApp
from mcp_enrichment.service.reports.finished import percentile
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = 1_000_000
TIMES = 40
GOAL = 100
"""Milliseconds."""
DAYS = 30
"""Over which the requests are spread, up to now."""
SOURCES = ("contacts", "hunter", "findymail")
PROFILE = "https://www.linkedin.com/in/p-example-"
FILL = (
    "CREATE TEMP TABLE numbers AS WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL"
    " SELECT value + 1 FROM n WHERE value < :requests) SELECT value FROM n",
    "INSERT INTO teams SELECT value, 'team ' || value, 1000, 0, 10000000, 0, 0, 0, 0"
    " FROM numbers LIMIT 5",
    # Seven of ten have an address, one of a hundred thousand has failed.
    "INSERT INTO requests (id, team_id, linkedin_url, type, status, email, source, verification,"
    " created_at, completed_at) SELECT printf('%024x', value), 1 + value % 5, :profile || value,"
    " iif(value % 4, 'work', 'personal'), iif(value % 100000 = 7, 'failed',"
    " iif(value % 10 < 7, 'completed', 'not-found')), iif(value % 100000 != 7 AND value % 10 < 7,"
    " 'p' || value || '@example.com', NULL), 'hunter', 'verified',"
    " :now - (:requests - value) * :step - 2, :now - (:requests - value) * :step"
    " FROM numbers",
    "INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at) SELECT team_id,"
    " id, k.column1, 1, 1000, created_at FROM requests, (VALUES ('hold'), ('settle')) k"
    " ORDER BY requests.rowid",
    "INSERT INTO source_calls (request_id, source, state, claim_token, cost, attempts,"
    " requested_at, answered_at) SELECT id, s.column1, iif(status = 'completed' AND s.column1 ="
    " 'hunter', 'hit', 'miss'), '', 1, 1, created_at, completed_at FROM requests,"
    " (VALUES ('contacts'), ('hunter')) s",
    "INSERT INTO callbacks SELECT id, id, 'https://crm.example/hook', NULL, 1, 0 FROM requests"
    " WHERE rowid % 5 = 0",
    "INSERT INTO callback_attempts SELECT c.id, 1, 1, completed_at, completed_at + 1,"
    " 'delivered', 204 FROM callbacks c JOIN requests r ON r.id = c.request_id",
    "INSERT INTO audit_log (at, actor, action, pseudonym, counts) SELECT :now, 'operator',"
    " 'export', NULL, '{}' FROM requests WHERE rowid % 100 = 0",
    "ANALYZE",
)


def fill(file: Path, requests: int) -> None:
    """Store so many requests with all that belongs to them."""
    open_sqlite(file).close()
    values = {
        "now": time.time(),
        "requests": requests,
        "step": DAYS * 86_400 / requests,
        "profile": PROFILE,
    }
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA synchronous=OFF")
        for statement in FILL:
            db.execute(statement, values)


def _pages(requests: int) -> Iterator[tuple[str, str]]:
    """The name of each page, and its path."""
    middle = f"before={requests}"
    yield "overview, an hour", "?period=hour"
    yield "overview, a week", "?period=week"
    yield "lookups", "/lookups"
    yield "lookups, from the middle", f"/lookups?{middle}"
    yield "lookups of a team", "/lookups?team=team+3"
    yield "lookups that failed, which are rare", "/lookups?status=failed"
    yield "lookups of a team and a source, of which there is none", "/lookups?team=team+3&source=no"
    yield "one lookup", f"/lookups/{requests // 2:024x}"
    yield "sources", "/sources"
    yield "credits", "/credits?team=team+3"
    yield "credits, from the middle", f"/credits?team=team+3&{middle}"
    yield "callbacks", "/callbacks"
    yield "callbacks that failed, of which there are none", "/callbacks?failed=1"
    yield "contacts", "/contacts"
    yield "privacy", "/privacy"
    yield "teams", "/teams"


async def measure(file: Path, requests: int) -> bool:
    """Print the times of each page; whether all reach the goal."""
    database = open_sqlite(file)
    policy = CallbackURLPolicy()
    service = ServiceContext(
        database=database,
        sources=(),
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
    )
    sessions = Sessions(b"s" * 32, time.time)
    console = Console(
        service=service,
        sessions=sessions,
        sign_in_limit=RateLimit(quota=600, clock=time.monotonic),
        facts=Facts(sources=SOURCES),
        is_local=True,
    )
    session = sessions.start(LOCAL)
    app = ServiceApp(routes(console), service, None, None)
    good = True
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://it",
        cookies={COOKIES[True]: sessions.cookie(session)},
    ) as http:
        for name, path in _pages(requests):
            good &= _print(name, [await _timed(http.get, f"{ROOT}{path}") for _ in range(TIMES)])
        form = {"token": sessions.token(session), "q": f"{PROFILE}{requests // 2}"}
        search = [
            await _timed(http.post, f"{ROOT}/lookups/search", data=form) for _ in range(TIMES)
        ]
        good &= _print("lookups of a profile", search)
    database.close()
    return good


async def _timed(call: Any, url: str, **options: Any) -> tuple[float, float]:
    """Milliseconds of a page, and those in which a processor worked."""
    began, worked = time.perf_counter(), time.process_time()
    answer = await call(url, **options)
    assert answer.status_code == 200, answer.text
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def _print(name: str, times: list[tuple[float, float]]) -> bool:
    taken, worked = zip(*times, strict=True)
    processor = percentile(sorted(worked), 0.5) or 0
    ordered = sorted(taken)
    p50, p95 = percentile(ordered, 0.5) or 0, percentile(ordered, 0.95) or 0
    print(f"{name:55} p50 {p50:6.1f}  p95 {p95:6.1f} ms, processor {processor:5.1f}", flush=True)
    return p95 <= GOAL


def main(requests: int = REQUESTS) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "enrichment.db"
        began = time.perf_counter()
        fill(file, requests)
        size = file.stat().st_size / 2**20
        print(f"{requests:,} requests, {size:,.0f} MiB, in {time.perf_counter() - began:.0f} s")
        return 0 if anyio.run(measure, file, requests) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
