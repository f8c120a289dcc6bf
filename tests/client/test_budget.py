"""The user's budget is counted over all processes, and checked before anything is sent."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import post_sender
from mcp_enrichment.client.state import spending
from mcp_enrichment.client.state.spending import Budget
from mcp_enrichment.contract.errors import BudgetExceeded, EnrichmentError, OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import (
    HTML,
    PROFILE,
    ContractServer,
    accepts,
    enrichment,
    found,
    missed,
)
from tests.support.forks import by_fork
from tests.support.scripted_server import ScriptedServer, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio

TWO_A_DAY = Budget(daily=2)


def _person(number: int) -> str:
    return f"https://www.linkedin.com/in/ada-{number}"


async def _ask_all(client: EnrichmentClient, count: int) -> list[str]:
    """Make this many requests at once; each result is an id, or the code of an error."""
    came: list[str] = []

    async def ask(number: int) -> None:
        try:
            came.append((await client.request(_person(number), EmailType.WORK)).id)
        except EnrichmentError as error:
            came.append(error.code)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(ask, number)
    return came


class _Account(ContractServer):
    """Lookups with a balance, which with `holds_credits` excludes the credits of running
    requests."""

    def __init__(self, balance: int, *, holds_credits: bool) -> None:
        super().__init__()
        self.balance, self._holds_credits = balance, holds_credits
        self.held = 0

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.path.endswith("/credits"):
            off = {"held": self.held} if self._holds_credits else {}
            left = self.balance - self.held if self._holds_credits else self.balance
            await replies(200, {"balance": left, **off})(stream, seen)
            return
        self.held += seen.method == "POST"
        await super().__call__(stream, seen)


async def test_a_hundred_requests_at_once_spend_exactly_the_days_budget(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    vendor.always(ContractServer())
    async with new_client(budget=Budget(daily=7)) as client:
        came = await _ask_all(client, 100)
    assert came.count("budget_exceeded") == 93
    assert len(vendor.posts) == 7


async def test_four_processes_spend_one_budget(vendor: ScriptedServer, memory: Path) -> None:
    vendor.always(ContractServer())
    program = [sys.executable, "-m", "tests.support.budget_spender", vendor.url, str(memory)]
    told: list[str] = []

    async def run(first: int) -> None:
        with by_fork():
            done = await anyio.run_process([*program, str(first), "25", "9"], stderr=None)
        told.extend(json.loads(done.stdout))

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(run, number * 100)
    assert told.count("budget_exceeded") == 91
    assert len(vendor.posts) == 9


async def test_the_budget_outlives_the_process_and_ends_with_the_day(
    new_client: NewClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.always(ContractServer())
    async with new_client(budget=TWO_A_DAY) as client:
        assert "budget_exceeded" not in await _ask_all(client, 2)
    async with new_client(budget=TWO_A_DAY) as client:
        with pytest.raises(BudgetExceeded, match="daily budget of 2 credits") as caught:
            await client.request(PROFILE, EmailType.WORK)
        assert caught.value.charged is False
        monkeypatch.setattr(spending, "DAY", 0.001)  # one day has then passed
        assert (await client.request(PROFILE, EmailType.WORK)).id == "e3"


@pytest.mark.parametrize(
    ("end", "spent"),
    [
        (found(), 1),
        (missed(), 0),
        (enrichment(status="failed"), 0),
        (found() | {"credits_charged": 0}, 0),
        (enrichment(), 1),
    ],
    ids=["found", "not found", "failed", "found for nothing", "still running"],
)
async def test_a_credit_that_was_not_charged_returns_to_the_budget(
    new_client: NewClient, vendor: ScriptedServer, *, end: dict[str, Any], spent: int
) -> None:
    lookups = _Account(50, holds_credits=False)
    vendor.always(lookups)
    lookups.end(end)
    async with new_client(budget=TWO_A_DAY) as client:
        running = end["status"] == "pending"
        await client.request(PROFILE, EmailType.WORK, wait=0.5 if running else HANG)
        purse = await client.credits()
    assert (purse.balance, purse.spent_today, purse.left) == (50, spent, 2 - spent)


async def test_a_refused_request_costs_no_budget_and_an_unknown_outcome_does(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    async with new_client(budget=TWO_A_DAY) as client:
        vendor.will(replies(402, HTML), resets(), replies(200, {"balance": 5}))
        with pytest.raises(EnrichmentError):
            await client.request(_person(1), EmailType.WORK)
        with pytest.raises(OutcomeUnknown):
            await client.request(_person(2), EmailType.WORK)
        assert (await client.credits()).spent_today == 1


async def test_a_remembered_answer_is_free_after_the_budget_is_spent(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer()
    vendor.always(lookups)
    lookups.end(found())
    async with new_client(budget=Budget(daily=1)) as client:
        await client.request(PROFILE, EmailType.WORK, wait=HANG)
        assert (await client.request(PROFILE, EmailType.WORK)).reused
        with pytest.raises(BudgetExceeded):
            await client.request(PROFILE, EmailType.WORK, force_refresh=True)
        assert (await client.request(PROFILE, EmailType.WORK)).reused


@pytest.mark.parametrize("holds_credits", [False, True])
async def test_the_balance_never_falls_under_the_reserve(
    new_client: NewClient, vendor: ScriptedServer, holds_credits: bool
) -> None:
    account = _Account(25, holds_credits=holds_credits)
    vendor.always(account)
    async with new_client(budget=Budget(reserve=20)) as client:
        came = await _ask_all(client, 100)
        assert len(vendor.posts) == 5
        assert came.count("budget_exceeded") == 95
        with pytest.raises(BudgetExceeded, match="not fall below 20 credits"):
            await client.request(PROFILE, EmailType.WORK)


async def test_credits_that_are_charged_only_at_the_end_are_counted_once(
    new_client: NewClient, vendor: ScriptedServer
) -> None:
    account = _Account(22, holds_credits=False)
    vendor.always(account)
    async with new_client(budget=Budget(reserve=20)) as client:
        await client.request(_person(1), EmailType.WORK)
        account.end(found())
        account.balance -= 1
        await client.wait(["e1"], HANG)
        assert (await client.request(_person(2), EmailType.WORK)).id == "e2"
        with pytest.raises(BudgetExceeded):
            await client.request(_person(3), EmailType.WORK)
        assert (await client.credits()).left == 1


async def test_without_a_budget_the_balance_is_not_read(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(accepts())
    await client.request(PROFILE, EmailType.WORK)
    assert [seen.method for seen in vendor.seen] == ["POST"]


async def test_a_budget_of_nothing_sends_nothing(
    new_client: NewClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0)
    async with new_client(budget=Budget(daily=0)) as client:
        with pytest.raises(BudgetExceeded):
            await client.request(PROFILE, EmailType.WORK)
    assert not vendor.seen
