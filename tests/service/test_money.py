"""A hit costs one credit, any other outcome none, and no balance is ever below zero."""

from __future__ import annotations

import sqlite3
from collections import Counter
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy.exc import IntegrityError

from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.billing.ledger import Balance
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.sources.base import Misconfigured
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    FixedSource,
    RunningService,
    SlowSource,
    ledger_is_exact,
    running_service,
)
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

REFUSED_BY_TABLES = (IntegrityError, sqlite3.IntegrityError)
pytestmark = pytest.mark.anyio
HISTORY = "SELECT kind FROM ledger WHERE request_id = ? ORDER BY id"


async def _figures(it: RunningService) -> Balance:
    return await it.service.database.read(lambda c: ledger.balance(c, it.team_id))


@pytest.mark.parametrize(
    ("outcome", "status", "end", "left"),
    [
        (HIT, "completed", "settle", 9),
        (MISS, "not-found", "release", 10),
        (Misconfigured(), "failed", "release", 10),
    ],
)
async def test_a_credit_is_held_while_a_lookup_runs_and_spent_for_an_address_alone(
    place: Place, outcome: Outcome, status: str, end: str, left: int
) -> None:
    source = SlowSource(outcome)
    async with running_service(place, source) as it:
        request_id = await it.accepted()
        with anyio.fail_after(HANG):
            await source.asked.wait()
        assert (await it.get(request_id)).json()["status"] == "processing"
        assert await _figures(it) == Balance(available=9, held=1)
        ledger_is_exact(place)
        source.may_answer.set()
        assert (await it.final(request_id))["status"] == status
        assert await _figures(it) == Balance(available=left, held=0)
        assert it.rows(HISTORY, request_id) == [("hold",), (end,)]
    ledger_is_exact(place)


async def test_200_posts_at_once_with_one_credit_left_are_one_201_and_199_402s(
    place: Place,
) -> None:
    statuses: Counter[int] = Counter()
    async with (
        running_service(place, jobs=False, credits=1) as one,
        running_service(place, jobs=False, credits=1) as other,
    ):

        async def post(number: int) -> None:
            response = await (one, other)[number % 2].post(linkedin_url=f"{ADA}-{number}")
            statuses[response.status_code] += 1

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(post, number)
        assert statuses == {201: 1, 402: 199}
        assert await _figures(one) == Balance(available=0, held=1)
        assert len(one.rows("SELECT * FROM requests")) == len(one.rows("SELECT * FROM jobs")) == 1
    ledger_is_exact(place)


@pytest.mark.parametrize("outcome", [HIT, MISS])
async def test_a_lookup_that_runs_twice_at_once_ends_and_pays_once(
    place: Place, outcome: Outcome
) -> None:
    source = SlowSource(outcome)
    async with running_service(place, source, jobs=False) as it:
        request_id = await it.accepted(callback_url="https://a.test")
        job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(look_up, it.service, job)
            await source.asked.wait()
            source.may_answer.set()
        assert await look_up(it.service, job) is None
        assert len(it.rows(HISTORY, job.target_id)) == 2
        assert it.rows("SELECT count(*) FROM jobs WHERE kind = 'deliver'") == [(1,)]
    ledger_is_exact(place)


async def test_the_tables_themselves_refuse_a_second_end(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        request_id = await it.accepted()
        await it.final(request_id)
        for is_settled in (True, False):
            end = ledger.HoldOutcome(
                team_id=it.team_id, request_id=request_id, is_settled=is_settled
            )
            with pytest.raises(REFUSED_BY_TABLES):
                await it.service.database.write(
                    lambda c, end=end: ledger.close_holds(c, [end], at=0)
                )
    ledger_is_exact(place)


async def test_a_credit_that_is_released_can_be_held_again(place: Place) -> None:
    async with running_service(place, FixedSource(MISS, HIT), credits=1) as it:
        await it.final(await it.accepted())
        await it.final(await it.accepted())
        assert (await it.post()).status_code == 402
    ledger_is_exact(place)


async def test_a_new_installation_is_granted_250_credits_once(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        for delete in ("DELETE FROM ledger", "DELETE FROM api_keys", "DELETE FROM teams"):
            it.service.database.write_now(methodcaller("exec_driver_sql", delete))
        team_ids = {await it.service.database.write(partial(embedded_team, at=0)) for _ in range(3)}
        (team_id,) = team_ids
        assert await it.service.database.read(lambda c: ledger.balance(c, team_id)) == Balance(
            available=250, held=0
        )
        assert it.rows("SELECT kind, amount FROM ledger") == [("grant", 250)]


async def test_a_grant_adds_to_the_balance_and_to_the_ledger(place: Place) -> None:
    async with running_service(place, jobs=False, credits=0) as it:
        assert (await it.post()).status_code == 402
        after = await it.service.database.write(lambda c: ledger.grant(c, it.team_id, 5, at=0))
        assert after == Balance(available=5, held=0)
        assert (await it.post()).status_code == 201
        assert await it.balance() == 4
    ledger_is_exact(place)


@pytest.mark.parametrize("amount", [0, -1])
async def test_a_grant_of_nothing_or_less_is_refused_as_a_whole(place: Place, amount: int) -> None:
    async with running_service(place, jobs=False) as it:
        with pytest.raises(REFUSED_BY_TABLES):
            await it.service.database.write(lambda c: ledger.grant(c, it.team_id, amount, at=0))
        assert await it.balance() == 10
    ledger_is_exact(place)
