"""A wait for a lookup returns the result soon, with few polls, and before its deadline."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import client as client_module
from mcp_enrichment.client import poller
from mcp_enrichment.contract.models import EmailType, Status
from tests.client.polled import until_answered
from tests.support.contract_server import ADDRESS, PROFILE, ContractServer, enrichment, found
from tests.support.passing_time import pass_time
from tests.support.running_service import until
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio


async def test_a_server_that_holds_responses_is_polled_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_when_read, lookups)
        [answer] = await client.wait(["e1"], HANG)
    assert answer.email == ADDRESS
    assert len(vendor.seen) == 1
    assert vendor.seen[0].headers["prefer"] == f"wait={poller.HOLD}"


async def test_a_server_that_does_not_hold_is_polled_until_the_lookup_is_final(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(*[replies(200, enrichment())] * 4, replies(200, found()))
    [answer] = await client.wait(["e1"], HANG)
    assert answer.email == ADDRESS
    assert len(vendor.seen) == 5


async def test_a_wait_lasts_from_its_beginning_however_busy_the_memory_is(
    client: EnrichmentClient, vendor: ScriptedServer, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "HOLD", 2 * HANG)
    lookups = ContractServer(holds=True)
    vendor.will(replies(200, enrichment()))
    await client.get("e1")  # creates the files
    vendor.always(lookups)
    with closing(sqlite3.connect(memory, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_end_when_read, lookups)
            tasks.start_soon(client.wait, ["e1"], HANG)
            await anyio.wait_all_tasks_blocked()  # the wait has begun, and waits for the lock
            pass_time(1)
            other.execute("ROLLBACK")
    assert _held(vendor.seen[-1]) < HANG - 1, (
        "the second for which the state file was locked counts"
    )


async def test_the_requested_hold_ends_shortly_before_the_wait(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, ["e1"], 20)
        await lookups.read.wait()
        latest = 20 - poller.RESPONSE_MARGIN
        assert int(latest - (anyio.current_time() - began)) <= _held(vendor.seen[0]) <= latest
        tasks.cancel_scope.cancel()


async def test_an_answer_is_returned_in_time_however_busy_the_state_file_is(
    client: EnrichmentClient, vendor: ScriptedServer, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SAVE_SECONDS", 0.25)
    vendor.always(lookups := ContractServer())
    await client.request(PROFILE, EmailType.WORK)
    with closing(sqlite3.connect(memory, isolation_level=None)) as other:

        async def end() -> None:
            await lookups.read.wait()  # the wait has read the state file by then
            other.execute("BEGIN EXCLUSIVE")
            lookups.end(found())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end)
            with anyio.fail_after(HANG):
                [answer] = await client.wait(["e1"], HANG)
    assert answer.email == ADDRESS
    [asked] = await client._store.newest(1)
    assert asked.status is Status.COMPLETED, "the outcome is saved regardless"


async def test_a_server_that_only_claims_to_hold_is_polled_with_pauses(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    at: list[float] = []

    async def claims(stream: SocketStream, seen: ReceivedRequest) -> None:
        at.append(anyio.current_time())
        held = {"preference-applied": seen.headers["prefer"]}
        await replies(200, enrichment(), held)(stream, seen)

    vendor.always(claims)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, ["e1"], HANG)
        await until(lambda: len(at) == 6)
        tasks.cancel_scope.cancel()
    assert vendor.seen[0].headers["prefer"] == f"wait={poller.HOLD}"
    assert at[5] - at[0] > 1.0, "at most five in a second"


@pytest.mark.parametrize("tell_before", [60.0, 0.5], ids=["too short to hold", "held"])
async def test_a_wait_that_runs_out_while_the_server_holds_returns_the_last_state(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    tell_before: float,
) -> None:
    monkeypatch.setattr(poller, "RESPONSE_MARGIN", tell_before)
    monkeypatch.setattr(poller, "HOLD", 60)
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    answers: list[EnrichmentResult] = []
    began = anyio.current_time()

    async def wait() -> None:
        answers.extend(await client.wait(["e1"], 60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await lookups.read.wait()
        pass_time(_held(vendor.seen[0]))
        await until_answered(client, "e1")
        assert not answers
        pass_time(60)
    [answer] = answers
    assert (answer.status, answer.is_final) == (Status.PENDING, False)
    assert anyio.current_time() - began >= 60


async def test_a_shorter_wait_that_joins_a_held_poll_gets_the_state_too(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "RESPONSE_MARGIN", 15.0)  # a busy machine may need this long
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    told = anyio.Event()

    async def wait_less() -> None:
        [answer] = await client.wait(["e1"], 24)
        assert answer.status is Status.PENDING
        told.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, ["e1"], HANG)
        await lookups.read.wait()
        tasks.start_soon(wait_less)
        await until(lambda: len(vendor.seen) == 2)  # polled again, with a shorter hold
        pass_time(9)
        await until_answered(client, "e1")
        pass_time(15)
        with anyio.fail_after(HANG):
            await told.wait()
        tasks.cancel_scope.cancel()


async def test_a_cancelled_wait_closes_its_connection_at_once_and_polls_no_more(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    asked, hung_up = anyio.Event(), anyio.Event()

    async def holds(stream: SocketStream, _seen: ReceivedRequest) -> None:
        asked.set()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
        hung_up.set()

    vendor.always(holds)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, ["e1"], HANG)
        await asked.wait()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(HANG):
        await hung_up.wait()
    assert len(vendor.seen) == 1


async def test_a_wait_that_is_cancelled_between_two_polls_polls_no_more(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer()
    vendor.always(lookups)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, ["e1"], HANG)
        await lookups.read.wait()
        tasks.cancel_scope.cancel()
    seen = len(vendor.seen)
    await anyio.sleep(0.5)  # the schedule would have polled twice
    assert len(vendor.seen) == seen


async def test_a_request_that_waits_follows_its_lookup_to_the_end(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(_end_when_read, lookups))
        answer = await client.request(PROFILE, EmailType.WORK, wait=HANG)
    assert (answer.email, answer.reused, answer.credits_charged) == (ADDRESS, False, 1)


def _held(seen: ReceivedRequest) -> int:
    """Seconds for which the server was requested to hold its answer."""
    return int(seen.headers["prefer"].removeprefix("wait="))


async def _end_when_read(lookups: ContractServer) -> None:
    await lookups.read.wait()
    lookups.end(found())


@pytest.mark.parametrize("holds", [True, False])
async def test_waits_return_the_last_state_before_the_process_ends(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    lookups = ContractServer(holds=holds)
    vendor.always(lookups)
    answers: list[EnrichmentResult] = []

    async def wait() -> None:
        answers.extend(await client.wait(["e1"], 2 * HANG))

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await lookups.read.wait()
            monkeypatch.setattr(poller, "LAST_POLL_SECONDS", 60)
            monkeypatch.setattr(poller, "RESPONSE_MARGIN", 60)  # too short to hold an answer
            client.release_waiters()
            await until_answered(client, "e1")
            pass_time(60)
    assert [answer.status for answer in answers] == [Status.PENDING]
