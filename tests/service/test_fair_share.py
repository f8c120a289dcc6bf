"""Slow receivers and backlogs of other teams do not delay a team's lookups and callbacks."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
import pytest

from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.service.callbacks import callback_sender
from mcp_enrichment.service.queue import procrastinate_queue, sqlite_queue, sqlite_worker
from mcp_enrichment.service.queue.job import JobKind
from mcp_enrichment.service.queue.procrastinate_queue import FETCH_FAIRLY
from mcp_enrichment.service.queue.sqlite_queue import Lease, Turns
from tests.support.keyed_client import create_key, keyed_client
from tests.support.running_service import (
    ADA,
    HIT,
    FixedSource,
    RunningService,
    running_service,
    until,
)
from tests.support.scripted_server import hangs, replies, scripted_server
from tests.support.sql_statements import statements
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
OF = "SELECT count(*) FROM jobs WHERE kind = 'deliver' AND lease_owner IS NOT NULL"
DELIVERED = "SELECT count(*) FROM callback_attempts WHERE outcome = 'delivered'"

BACKLOG = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
    SELECT 'deliver', 'deliver',
        jsonb_build_object('target_id', n, 'team_id', %(team_id)s::integer), now()
    FROM generate_series(1, %(many)s) n"""


async def test_receivers_that_hang_hold_up_no_lookup_and_no_other_teams_callback(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_sender, "ATTEMPT_SECONDS", 3600)
    async with (
        scripted_server() as hole,
        scripted_server() as receiver,
        running_service(
            place, FixedSource(HIT), credits=30, allow_private=True, concurrency=5
        ) as it,
        keyed_client(it, await create_key(it, "lumen")) as lumen,
    ):
        hole.always(hangs())
        receiver.always(replies(200))
        for number in range(30):
            await it.accepted(linkedin_url=f"{ADA}-{number}", callback_url=hole.url)
        await until(lambda: it.rows(OF) == [(sqlite_worker.DELIVERIES_PER_TEAM,)])
        asked = {"linkedin_url": ADA, "type": "work", "callback_url": receiver.url}
        answer = await lumen.post(ENRICHMENTS, json=asked)
        with anyio.fail_after(HANG):  # seconds; each of the thirty would take hours
            where = f"{ENRICHMENTS}/{answer.json()['_id']}"
            body = (await lumen.get(where, headers={"prefer": "wait=60"})).json()
            await until(lambda: it.rows(DELIVERED) == [(1,)])
    assert body["status"] == "completed"
    assert len(hole.seen) == sqlite_worker.DELIVERIES_PER_TEAM


async def test_the_team_with_the_fewest_callbacks_under_way_comes_first(path: Path) -> None:
    async with running_service(path, jobs=False) as it:
        teams = [it.team_id, *[await _team(it, name) for name in ("lumen", "ostra")]]
        write = it.service.database.write
        for number in range(40):  # older than all jobs of the other teams
            await write(lambda c, n=number: _put(c, f"a{n}", teams[0], run_at=n))
        for number in range(3):
            await write(lambda c, n=number: _put(c, f"b{n}", teams[1], run_at=50 + n))
            await write(lambda c, n=number: _put(c, f"c{n}", teams[2], run_at=60 + n))
        lease = Lease(owner="one", now=100, until=130)
        turns = Turns(4, {teams[0]: 1, teams[2]: 3})
        claimed = await write(
            lambda c: sqlite_queue.claim(c, lease, JobKind.DELIVER, turns, limit=6)
        )
    assert [job.target_id for job in claimed] == ["b0", "a0", "b1", "a1", "b2", "c0"]


async def test_looking_for_work_costs_the_same_whatever_the_backlog(path: Path) -> None:
    """Each statement finds its rows by an index: none of them reads a whole table."""
    lease = Lease(owner="one", now=100, until=130)
    async with running_service(path, jobs=False) as it:

        def look(connection: Connection) -> list[str]:
            with statements(connection) as said:
                sqlite_queue.claim(connection, lease, JobKind.LOOK_UP, Turns(4), limit=9)
                _put(connection, "due", it.team_id, run_at=1)
                sqlite_queue.claim(connection, lease, JobKind.DELIVER, Turns(4), limit=9)
                sqlite_queue.next_run_at(connection, after=100)
            return [step for one in said for step in _plan(connection, *one)]

        plan = await it.service.database.write(look)
    reads = [step for step in plan if "jobs" in step]
    assert len(reads) >= 8
    assert [step for step in reads if not re.search(r"USING .*INDEX \w+ \(", step)] == []


async def test_a_fleet_takes_callbacks_from_team_to_team_and_no_more_of_one_than_its_share(
    url: str,
) -> None:
    async with running_service(url, jobs=False) as it:
        teams = [it.team_id, *[await _team(it, name) for name in ("lumen", "ostra")]]
        for team_id, name, many in zip(teams, "abc", (40, 3, 3), strict=True):
            for number in range(many):
                await it.service.database.write(
                    lambda c, s=f"{name}{number}", t=team_id: _put_in(c, s, t)
                )
    at_work = Counter({teams[0]: 1, teams[2]: 3})
    taken = []
    with psycopg.connect(url) as connection:
        worker = connection.execute("SELECT procrastinate_register_worker_v1()").fetchall()[0][0]
        while found := connection.execute(FETCH_FAIRLY, _asked(worker, at_work)).fetchall():
            at_work[found[0][6]["team_id"]] += 1
            taken.append(found[0][6]["target_id"])
    assert taken == ["b0", "a0", "b1", "a1", "b2", "a2", "c0"]


def test_a_fleet_looks_for_callbacks_at_the_same_cost_whatever_the_backlog(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for team_id, many in ((1, 20_000), (2, 1)):
            connection.execute(BACKLOG, {"team_id": team_id, "many": many})
        connection.execute("VACUUM ANALYZE procrastinate_jobs")
        worker = connection.execute("SELECT procrastinate_register_worker_v1()").fetchall()[0][0]
        plan = connection.execute(f"EXPLAIN ANALYZE {FETCH_FAIRLY}", _asked(worker, {})).fetchall()
    read = [int(rows) for (step,) in plan for rows in re.findall(r"actual .* rows=(\d+)", step)]
    assert len(read) > 10
    assert max(read) < 10


async def _team(it: RunningService, name: str) -> int:
    await create_key(it, name)
    return int(it.rows("SELECT id FROM teams WHERE name = ?", name)[0][0])


def _put(connection: Connection, target_id: str, team_id: int, *, run_at: float) -> None:
    sqlite_queue.enqueue(connection, JobKind.DELIVER, target_id, team_id=team_id, at=run_at)


def _put_in(connection: Connection, target_id: str, team_id: int) -> None:
    procrastinate_queue.enqueue(connection, JobKind.DELIVER, target_id, team_id=team_id, at=0)


def _asked(worker: int, at_work: Mapping[int, int]) -> dict[str, Any]:
    of_teams = json.dumps(at_work)
    return {"queue": "deliver", "worker_id": worker, "share": 4, "at_work": of_teams}


def _plan(connection: Connection, statement: str, values: Any) -> list[str]:
    found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [str(row[3]) for row in found]
