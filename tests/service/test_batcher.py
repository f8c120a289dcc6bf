"""Lookups that end at the same time share a commit; each has its outcome, credit and entry."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import event, text

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind
from tests.support.databases import open_place, rows
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.sql_statements import statements
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
MANY = 20
ENTRIES = "SELECT kind, amount, available_after FROM ledger ORDER BY id"
MOVES = {"grant": 1, "hold": -1, "settle": 0, "release": 1}
UNFINISHED = "SELECT count(*) FROM requests WHERE completed_at IS NULL"
NAMES = "SELECT name FROM teams ORDER BY name"


class Knows(SlowSource):
    """Returns a hit for every other profile."""

    asked_for = 0

    async def find(self, profile: str, email_type: EmailType) -> Outcome:
        self.asked_for += 1
        await super().find(profile, email_type)
        return HIT if int(profile.rpartition("-")[2]) % 2 else MISS


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    database = open_place(place)
    yield database
    database.close()


async def test_lookups_that_end_at_the_same_time_are_few_commits(place: Place) -> None:
    source, commits = Knows(), list[object]()

    def counts(connection: Connection) -> bool:
        return isinstance(place, str) or bool(connection.get_execution_options().get("writes"))

    async with running_service(place, source, jobs=False, credits=MANY) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-{number}") for number in range(MANY)]
        engine = it.service.database._engine
        async with anyio.create_task_group() as tasks:
            for request_id in ids:
                job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
                tasks.start_soon(look_up, it.service, job)
            await until(lambda: source.asked_for == MANY)
            event.listen(engine, "commit", lambda c: commits.append(c) if counts(c) else None)
            with statements(engine) as said:
                source.may_answer.set()
                await until(lambda: it.rows(UNFINISHED) == [(0,)])
        assert len(commits) < MANY / 2, "on Postgres reads are counted, too"
        ends = [statement for statement, _ in said if statement.startswith("UPDATE requests")]
        assert len(ends) <= len(commits), "one for all that share a commit"
        for number, request_id in enumerate(ids):
            body = (await it.get(request_id)).json()
            assert body["status"] == ("completed" if number % 2 else "not-found")
    ledger_is_exact(place)
    available = 0
    for kind, amount, available_after in rows(place, ENTRIES):
        available += MOVES[kind] * amount
        assert available_after == available, (
            "each entry has the credits that were available after it"
        )


async def test_a_lookup_that_was_ended_before_spoils_no_other_ones_commit(place: Place) -> None:
    source, failed = Knows(), list[object]()
    async with running_service(place, source, jobs=False) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-{number}") for number in range(3)]
        event.listen(it.service.database._engine, "handle_error", failed.append)
        async with anyio.create_task_group() as tasks:
            for request_id in (*ids, ids[0]):
                job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
                tasks.start_soon(look_up, it.service, job)
            await until(lambda: source.asked_for == len(ids) + 1)
            source.may_answer.set()
        assert failed == [], "no second entry in the ledger is tried"
        for request_id in ids:
            assert (await it.get(request_id)).json()["status"] in ("completed", "not-found")
    ledger_is_exact(place)


async def test_an_item_that_raises_does_not_fail_the_others(database: Database) -> None:
    outcomes = await _all_at_once(database, ["one", "bad", "two"])
    assert outcomes["one"] == "one", "each caller gets its own result"
    assert outcomes["two"] == "two"
    assert isinstance(outcomes["bad"], ValueError)
    assert database.read_now(_names) == ["one", "two"]


async def test_a_database_that_fails_has_failed_for_all_of_them(database: Database) -> None:
    outcomes = await _all_at_once(database, ["one", "full", "two"])
    assert all(isinstance(outcome, StorageFailed) for outcome in outcomes.values())
    assert database.read_now(_names) == []


async def test_a_cancelled_leader_of_a_group_does_not_hold_up_the_others(
    database: Database,
) -> None:
    first, given_up = anyio.Event(), anyio.CancelScope()
    outcomes: dict[str, object] = {}

    async def who_gives_up() -> None:
        with given_up:
            first.set()
            await _put(database, "one", outcomes)

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            _may_go_on.clear()
            tasks.start_soon(_put, database, "waits", outcomes)
            await anyio.to_thread.run_sync(_is_at_it.wait)
            tasks.start_soon(who_gives_up)
            await first.wait()
            tasks.start_soon(_put, database, "two", outcomes)
            given_up.cancel()
            _may_go_on.set()
    assert outcomes["two"] == "two"
    assert database.read_now(_names) == ["one", "two", "waits"]


_is_at_it, _may_go_on = threading.Event(), threading.Event()


def _add(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    """Add teams of these names, or raise and add none."""
    for name in names:
        row = {"name": name, "created_at": 0, "available": 0, "held": 0}
        connection.execute(
            text(
                "INSERT INTO teams (name, created_at, available, held) VALUES "
                "(:name, :created_at, :available, :held)"
            ),
            row,
        )
    if "waits" in names:
        _is_at_it.set()
        _may_go_on.wait()
    if "bad" in names:
        raise ValueError
    if "full" in names:
        raise StorageFailed(StorageFault.FULL)
    return names


async def _all_at_once(database: Database, names: Sequence[str]) -> dict[str, object]:
    outcomes: dict[str, object] = {}
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(_put, database, name, outcomes)
    return outcomes


async def _put(database: Database, name: str, outcomes: dict[str, object]) -> None:
    try:
        outcomes[name] = await database.write_grouped(_add, name)
    except (ValueError, StorageFailed) as raised:
        outcomes[name] = raised


def _names(connection: Connection) -> Sequence[str]:
    return connection.execute(text(NAMES)).scalars().all()
