"""Several workers on Postgres, relative to the engine alone and to the embedded service.

Lookups that 1, 2 and 4 workers of 100 jobs each complete a second, and as many jobs of bare
procrastinate that do nothing: the source answers at once, or both take 500 ms. One worker can
complete at most 200 jobs of 500 ms a second, with few or with many requests stored. Then the time
from a POST to the final answer at low load, and one team's single request while another has
thousands waiting. Goals: of bare procrastinate 0.4 at once and 0.7 in 500 ms; with 1,000,000
requests stored and 100,000 jobs waiting, within 1.3 times; p50 within 30 ms of the source's own
time; p95 under 2 s.

`python -m bench.fleet at-once` measures only the lookups that are answered at once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import anyio
import psycopg

from bench.fleet_answers import answers, fairness
from tests.support import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


WORKERS = (1, 2, 4)
JOBS = 1000
"""For each worker, and once more in addition."""
TEAMS = 20
ROUNDS = 3
SOURCE_SECONDS = 0.5
STORED, WAITING = 1_000_000, 100_000
DURABLE = ("max_connections=200", "shared_buffers=512MB")
LIMIT = 300.0
MIDDLE = (0.7, 0.2)
"""Shares of the jobs that are left while the rate is measured: all workers have started by then."""
LEFT = {
    "ours": "SELECT sum(held) FROM teams",
    "bare": "SELECT count(*) FROM procrastinate_jobs",
}
"""Queries for the number of unfinished jobs. They do not read the tables that are measured."""
FILL = """
INSERT INTO teams (name, available, held, created_at)
    SELECT 'team ' || n, 1000000000, 0, 0 FROM generate_series(1, {teams}) n;
INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at, completed_at)
    SELECT 'f' || lpad(to_hex(n), 23, '0'), 1, 'https://www.linkedin.com/in/old-' || n, 'work',
    'not-found', 0, 1 FROM generate_series(1, {stored}) n;
INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)
    SELECT 1, id, kind, 1, 0, 0 FROM requests, (VALUES ('hold'), ('release')) AS kinds (kind);
"""
OURS = """
INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at)
    SELECT '{mark}' || lpad(to_hex(n), 22, '0'), 1 + n % {teams},
    'https://www.linkedin.com/in/{mark}-' || n, 'work', 'pending', 0
    FROM generate_series(1, {jobs}) n;
INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)
    SELECT team_id, id, 'hold', 1, 0, 0 FROM requests WHERE id LIKE '{mark}%';
UPDATE teams SET held = held + {jobs} / {teams};
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)
    SELECT 'look-up', 'look-up', {priority},
    jsonb_build_object('target_id', id, 'run_at', 0, 'team_id', team_id)
    FROM requests WHERE id LIKE '{mark}%';
"""
BARE = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT 'default', 'nothing', jsonb_build_object('target_id', n, 'run_at', 0)
    FROM generate_series(1, {jobs}) n;
"""
ASK = {"ours": OURS, "bare": BARE}
MARKS = count()
"""The first two hex digits of the ids of requests that are made together."""


class Case(NamedTuple):
    """Jobs that are measured."""

    kind: str
    """`ours` or `bare`."""
    url: str
    seconds: float
    """The duration of each job."""


async def main(*only: str) -> None:
    """Print all figures, and the ratios that the goals are about."""
    programs = postgres.installed()
    assert programs, postgres.MISSING
    with postgres.server(programs, DURABLE) as server:
        few, many, bare = (server.fresh(server.migrated()) for _ in range(3))
        fill(few, 1000, 0)
        throughput({"bare": Case("bare", bare, 0.0), "few stored": Case("ours", few, 0.0)})
        if only == ("at-once",):
            return
        fill(many, STORED, WAITING)
        throughput(
            {
                "bare": Case("bare", bare, SOURCE_SECONDS),
                "few stored": Case("ours", few, SOURCE_SECONDS),
                "many stored": Case("ours", many, SOURCE_SECONDS),
            }
        )
        await answers(few, SOURCE_SECONDS)
        await fairness(server.fresh(server.migrated()), SOURCE_SECONDS)


def throughput(cases: Mapping[str, Case]) -> None:
    """Print jobs completed a second, the median of rounds that take turns, and the ratios."""
    medians: dict[tuple[str, int], float] = {}
    for number in WORKERS:
        rounds: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, case in cases.items():
                rounds[name].append(ended_a_second(case, number))
        for name, found in rounds.items():
            medians[name, number] = sorted(found)[ROUNDS // 2]
            to_first = medians[name, number] / medians[next(iter(cases)), number]
            to_one = medians[name, number] / medians[name, 1]
            print(
                f"{number} workers, {cases[name].seconds:.1f} s, {name:11} "
                f"{medians[name, number]:6.0f} completed a second: {to_first:.2f} times bare "
                f"procrastinate, {to_one:.2f} times one worker"
            )


def ended_a_second(case: Case, number: int) -> float:
    """Jobs that this many workers complete a second, while all of them have work."""
    left, jobs = LEFT[case.kind], JOBS * (number + 1)
    ask = ASK[case.kind].format(mark=f"{next(MARKS):02x}", jobs=jobs, priority=0, teams=TEAMS)
    with psycopg.connect(case.url, autocommit=True) as connection:
        before = _number(connection, left)
        connection.execute(ask)
        asked = _number(connection, left) - before
        with workers(case, number):
            crossed = [
                when_at_most(connection, left, before + int(asked * share)) for share in MIDDLE
            ]
            when_at_most(connection, left, before)
    return asked * (MIDDLE[0] - MIDDLE[1]) / (crossed[1] - crossed[0])


def when_at_most(connection: psycopg.Connection, query: str, number: int) -> float:
    """The time when at most this many are left."""
    deadline = time.monotonic() + LIMIT
    while (left := _number(connection, query)) > number:
        assert time.monotonic() < deadline, f"{left} are left"
        time.sleep(0.02)
    return time.monotonic()


def _number(connection: psycopg.Connection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


@contextmanager
def workers(case: Case, number: int) -> Iterator[None]:
    """This many worker processes."""
    command = [sys.executable, "-m", "bench.fleet_worker", *map(str, case)]
    running = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def fill(url: str, stored: int, queued: int) -> None:
    """Store completed requests, and jobs that wait behind those that are measured."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL.format(stored=stored, teams=TEAMS))
        if queued:
            connection.execute(
                OURS.format(mark="0f", jobs=queued, priority=-1_000_000, teams=TEAMS)
            )
        connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
