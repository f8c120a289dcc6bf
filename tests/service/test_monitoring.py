"""Totals are true, readiness means that the service can work, and lists read one team's data
only."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from click.testing import CliRunner

from mcp_enrichment.cli.callbacks import callbacks as command
from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.service import metrics
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.monitoring import totals
from mcp_enrichment.service.queue.job import Job, JobKind
from tests.cli.commands import Shell
from tests.support.databases import settings_of
from tests.support.keyed_client import create_key
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    Clock,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.sql_statements import statements
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
CALLBACK = "https://hooks.example.com/"


async def test_the_totals_of_the_ledger_are_those_of_its_entries(place: Place) -> None:
    async with running_service(place, FixedSource(HIT, MISS), credits=10) as it:
        for number in range(2):
            await it.final(await it.accepted(linkedin_url=f"{ADA}-{number}"))
        await create_key(it, "lumen", credits=5)

        def correct(connection: Connection) -> None:
            ledger.correct(connection, it.team_id, -3, at=1, reason="a mistake")

        await it.service.database.write(correct)
        found = (await totals(it.service)).credits
    assert found == {
        "available": 11,
        "held": 0,
        "granted": 15,
        "corrected": -3,
        "settled": 1,
        "released": 1,
    }
    ledger_is_exact(place)


def _lookups_ended() -> float:
    samples = [one for family in metrics.LOOKUPS.collect() for one in family.samples]
    return sum(one.value for one in samples if one.name.endswith("_total"))


async def test_an_end_is_counted_once_however_many_come_to_it(place: Place) -> None:
    source = SlowSource(HIT)
    before = _lookups_ended()
    async with running_service(place, source, jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):  # its lease ran out twice while it ran
                tasks.start_soon(look_up, it.service, job)
            await source.asked.wait()
            source.may_answer.set()
    assert _lookups_ended() - before == 1


async def test_a_try_without_an_end_is_told_as_what_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings_of(place).items():
        monkeypatch.setenv(name, value)
    clock = Clock(time.time() - 60)
    async with running_service(place, jobs=False, clock=clock) as it:
        await it.accepted(callback_url=CALLBACK)
        ((callback_id,),) = it.rows("SELECT id FROM callbacks")
        assert "0 attempts\tno attempt yet" in _listed()
        for at, told in (
            (clock.now, "1 attempts\tinterrupted"),
            (time.time(), "2 attempts\tunder way"),
        ):
            await it.service.database.write(lambda c, at=at: _claimed(c, callback_id, at=at))
            assert told in _listed()


def _claimed(connection: Connection, callback_id: str, *, at: float) -> None:
    callback = callback_table.get(connection, callback_id)
    assert callback
    callback_table.claim_attempt(connection, callback, at=at)


def _listed() -> str:
    done = CliRunner().invoke(command, ["list"])
    assert done.exit_code == 0, done.output
    return done.output


async def test_a_list_of_one_teams_callbacks_reads_no_other_teams_tries(path: Path) -> None:
    async with running_service(path, jobs=False) as it:

        def plan(connection: Connection) -> list[str]:
            with statements(connection) as said:
                callback_table.deliveries(connection, team_id=it.team_id, limit=9)
            [(statement, values)] = said
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return [str(step[3]) for step in steps]

        steps = await it.service.database.read(plan)
    of_tries = [step for step in steps if "callback_attempts" in step or " last" in step]
    assert len(of_tries) >= 3
    assert [step for step in of_tries if not re.search(r"USING .*INDEX \w+ \(", step)] == []


async def test_on_a_full_disk_the_service_is_not_ready(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="its limit stands for the size of the disk")
    shell = Shell(tmp_path)
    shell.run("teams", "add", "lumen", "--credits", "10000")
    headers = {"x-api-key": shell.run("keys", "create", "lumen").out.strip()}
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))}
    with (tmp_path / "log").open("w+") as log:
        process = shell.start("service", "--port", "0", popen=full | {"stderr": log})
        try:
            said = (tmp_path / "log").read_text
            await until(lambda: "http://" in said())
            url = "http://" + said().partition("http://")[2].split()[0]
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=HANG) as http:
                before = after = await http.get("/ready")
                statuses: list[int] = []
                # It checks once a second and writes little, so the test keeps the disk full. Once a
                # POST has failed the test asks, seldom: more requests would be over the limit.
                while after.is_success:
                    asked = {"linkedin_url": f"{ADA}-{len(statuses)}", "type": "work"}
                    answer = await http.post(ENRICHMENTS, json=asked | {"external_id": "x" * 250})
                    statuses.append(answer.status_code)
                    if not answer.is_success:
                        await anyio.sleep(0.05)
                        after = await http.get("/ready")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=HANG)
        finally:
            process.kill()
            process.communicate(timeout=HANG)
    assert (before.status_code, after.status_code) == (200, 503)
    assert set(statuses) <= {201, 500, 503}
    assert after.json()["error"]["code"] == "storage_full"
