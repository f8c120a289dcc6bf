"""The cost of a lookup on Postgres: the figures behind `deploy/plan.md`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import anyio
import psycopg

from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.queue.procrastinate_queue import FETCH
from mcp_enrichment.service.requests import submission
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Hit
from tests.support import postgres

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKUPS = 1500
THREADS = 8
SECONDS = 3.0
DURABLE = ("max_connections=200", "shared_buffers=512MB")
TABLES = ("requests", "ledger")
HOT_ROW = """
    UPDATE teams SET available = available - 1, held = held + 1 WHERE id = {team};
    INSERT INTO ledger (team_id, kind, amount, available_after, at)
    SELECT id, 'grant', 1, available, 0 FROM teams WHERE id = {team}
"""


class Knows:
    """A source that answers at once."""

    name = "knows"

    async def find(self, _profile: str, _kind: object) -> Hit:
        """Return a hit."""
        return Hit(email="pat@example.com")


async def main() -> None:
    """Print all of it."""
    programs = postgres.installed()
    assert programs, postgres.MISSING
    with postgres.server(programs, DURABLE) as server:
        template = server.migrated()
        for many in (1, 20):
            await lookups(server.fresh(template), many)
        url = server.fresh(template)
        for many in (1, 20):
            hot_row(url, many)
        queue(server.fresh(template))
        telling(server.fresh(template))


async def lookups(url: str, many: int) -> None:
    """Accept this many teams' requests, then complete them: by one process, as fast as it can."""
    database, policy = open_postgres(url), CallbackURLPolicy()
    service = ServiceContext(
        database=database,
        sources=[Knows()],
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
    )
    ids = [
        await database.write(lambda c, n=n: teams.add(c, f"team {n}", LOOKUPS, at=0))
        for n in range(many)
    ]
    accepted: list[str] = []

    async def accept(number: int) -> None:
        asked = EnrichmentRequest(
            linkedin_url=f"https://www.linkedin.com/in/pat-{number:06}", type=EmailType.WORK
        )
        made = await submission.accept(service, ids[number % many], asked)
        accepted.append(made.request.id)

    async def end(number: int) -> None:
        job = Job(kind=JobKind.LOOK_UP, target_id=accepted[number], team_id=ids[number % many])
        await look_up(service, job)

    with psycopg.connect(url, autocommit=True) as connection:
        before = _wal(connection)
        for name, step in (("accepted", accept), ("ended", end)):
            print(f"{many:3} teams: {await _per_second(step):6.0f} {name} a second")
        log = (_wal(connection) - before) / LOOKUPS
        sizes = [
            connection.execute(f"SELECT pg_total_relation_size('{table}')").fetchall()[0][0]
            for table in TABLES
        ]
    shown = ", ".join(f"{t} {size / LOOKUPS:.0f}" for t, size in zip(TABLES, sizes, strict=True))
    print(f"{many:3} teams: bytes a lookup: {shown}, write-ahead log {log:.0f}")
    database.close()


async def _per_second(step: Callable[[int], object]) -> float:
    began = time.perf_counter()

    async def share(first: int) -> None:
        for number in range(first, LOOKUPS, THREADS):
            await step(number)  # type: ignore[misc]

    async with anyio.create_task_group() as tasks:
        for first in range(THREADS):
            tasks.start_soon(share, first)
    return LOOKUPS / (time.perf_counter() - began)


def hot_row(url: str, many: int) -> None:
    """Run only the two statements on a balance, in one round trip: the most that one row allows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO teams (name, available, held, created_at)"
            " SELECT 'of ' || %s || '-' || n, 1000000, 0, 0 FROM generate_series(1, %s) n",
            (many, many),
        )
        like = f"of {many}-%"
        ids = connection.execute("SELECT id FROM teams WHERE name LIKE %s", (like,)).fetchall()

    def move(connection: psycopg.Connection, number: int) -> None:
        connection.execute(HOT_ROW.format(team=ids[number % len(ids)][0]))

    print(f"{many:3} balances: {_by_threads(url, move):6.0f} movements a second")


def queue(url: str) -> None:
    """Claim the next job, with few waiting and with many."""
    put = """
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)
        SELECT 'look-up', 'look-up', -n, '{}' FROM generate_series(1, %s) n"""
    with psycopg.connect(url, autocommit=True) as connection:
        worker = connection.execute("SELECT procrastinate_register_worker_v1()").fetchall()[0][0]
        for waiting in (1000, 100_000, 1_000_000):
            connection.execute(put, (waiting,))
            connection.execute("VACUUM ANALYZE procrastinate_jobs")
            taken = []
            for _ in range(300):
                began = time.perf_counter()
                connection.execute(FETCH, {"queue": "look-up", "worker_id": worker, "limit": 1})
                taken.append(time.perf_counter() - began)
            print(f"{waiting:9,} jobs waiting: the next in {sorted(taken)[150] * 1000:.2f} ms")


def telling(url: str) -> None:
    """Commits with a notification, which share one lock, relative to commits without."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (n integer)")
    for name, statement in (
        ("tell nobody", "INSERT INTO plain VALUES (1)"),
        (
            "tell",
            "WITH told AS (SELECT pg_notify('told', '1')) INSERT INTO plain SELECT 1 FROM told",
        ),
    ):
        rate = _by_threads(url, lambda c, _n, s=statement: c.execute(s))
        print(f"commits that {name:11} {rate:6.0f} a second")


def _by_threads(url: str, work: Callable[[psycopg.Connection, int], object]) -> float:
    until, counts = time.perf_counter() + SECONDS, [0] * THREADS

    def run(share: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while time.perf_counter() < until:
                with connection.transaction():
                    work(connection, share + THREADS * counts[share])
                counts[share] += 1

    threads = [threading.Thread(target=run, args=(share,)) for share in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _wal(connection: psycopg.Connection) -> float:
    query = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
    return float(connection.execute(query).fetchall()[0][0])


if __name__ == "__main__":
    anyio.run(main)
