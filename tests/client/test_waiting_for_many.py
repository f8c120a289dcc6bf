"""Many waits at once share one poll for each id, and keep few requests in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.client import poller
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.errors import ServiceUnavailable, Unauthorized, UnknownEnrichment
from mcp_enrichment.contract.models import EmailType, Status
from tests.client.polled import until_answered
from tests.support.contract_server import (
    ADDRESS,
    HTML,
    PROFILE,
    ContractServer,
    accepts,
    found,
    knows_all_but_gone,
)
from tests.support.passing_time import pass_time
from tests.support.running_service import until
from tests.support.scripted_server import ScriptedServer, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.support.scripted_server import Behaviour, ReceivedRequest

pytestmark = pytest.mark.anyio

HUNDRED = [f"e{n}" for n in range(100)]


def _waiting(client: EnrichmentClient) -> int:
    """The number of waits for the one request that is polled."""
    return sum(len(poll.waits) for poll in client._poller._running.values())


async def test_all_who_wait_for_one_id_share_one_poll(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    answers: list[str | None] = []

    async def wait() -> None:
        answers.extend(answer.email for answer in await client.wait(["e1", "e1"], HANG))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(wait)
        await until(lambda: _waiting(client) == 50)
        lookups.end(found())
    assert answers == [ADDRESS] * 100
    assert len(vendor.seen) == 1


async def test_a_cancelled_wait_does_not_end_the_wait_of_the_others(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    async with anyio.create_task_group() as leaving, anyio.create_task_group() as staying:
        leaving.start_soon(client.wait, ["e1"], HANG)
        staying.start_soon(_expects_the_address, client)
        await until(lambda: _waiting(client) == 2)
        leaving.cancel_scope.cancel()
        lookups.end(found())


async def _expects_the_address(client: EnrichmentClient) -> None:
    with anyio.CancelScope(shield=True), anyio.fail_after(HANG):
        [answer] = await client.wait(["e1"], HANG)
    assert answer.email == ADDRESS


@pytest.mark.parametrize("holds", [True, False])
async def test_a_hundred_ids_are_waited_for_with_at_most_ten_requests_in_flight(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    monkeypatch.setattr(poller, "HOLD", 1)
    lookups = ContractServer(holds=holds, takes=0.02)
    are_two = anyio.Event()

    async def two_at_once(stream: SocketStream, seen: ReceivedRequest) -> None:
        if len(vendor.seen) == 2:
            are_two.set()
        await are_two.wait()
        await lookups(stream, seen)

    vendor.always(two_at_once)

    async def end_all() -> None:
        await lookups.read.wait()
        await anyio.sleep(0.5)  # an eleventh request would show
        for enrichment_id in HUNDRED:
            lookups.end(found(enrichment_id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_all)
        with anyio.fail_after(HANG):
            answers = await client.wait(HUNDRED, HANG)
    assert [answer.id for answer in answers] == HUNDRED
    assert all(answer.email == ADDRESS for answer in answers)
    assert 2 <= lookups.most_in_flight <= MAX_IN_FLIGHT


async def test_held_waits_leave_room_for_other_calls(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    held = anyio.Event()

    async def answer(stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.path.endswith("/credits"):
            await replies(200, {"balance": 5})(stream, seen)
            return
        if len(vendor.seen) >= len(HUNDRED):
            held.set()
        await lookups(stream, seen)

    vendor.always(answer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, HUNDRED, HANG)
        await held.wait()
        with anyio.fail_after(HANG):
            assert (await client.credits()).balance == 5
            request = await client.request("linkedin.com/in/grace", EmailType.WORK)
        assert request.id == "e1"
        tasks.cancel_scope.cancel()


async def test_many_requests_at_once_are_at_most_ten_in_flight(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(takes=0.2)  # an eleventh request would show
    arrived, are_many = 0, anyio.Event()

    async def hold(stream: SocketStream, seen: ReceivedRequest) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == MAX_IN_FLIGHT:
            are_many.set()
        await are_many.wait()
        await lookups(stream, seen)

    vendor.always(hold)
    async with anyio.create_task_group() as tasks:
        for n in range(40):
            tasks.start_soon(client.request, f"linkedin.com/in/ada-{n}", EmailType.WORK)
    assert len(vendor.posts) == 40
    assert lookups.most_in_flight == MAX_IN_FLIGHT


async def test_one_unknown_id_among_many_is_named_at_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(knows_all_but_gone)
    with anyio.fail_after(HANG), pytest.raises(UnknownEnrichment, match="gone"):
        await client.wait(["e1", "gone", "e2"], HANG)


@pytest.mark.parametrize(
    "trouble",
    [
        replies(503, HTML, {"retry-after": "3600"}),
        replies(429, HTML),
        replies(200, HTML),
        resets(),
    ],
)
async def test_trouble_with_one_id_among_many_does_not_lose_the_answers_of_the_others(
    client: EnrichmentClient, vendor: ScriptedServer, trouble: Behaviour
) -> None:
    async def answer(stream: SocketStream, seen: ReceivedRequest) -> None:
        down = seen.path.endswith("/e2")
        await (trouble if down else replies(200, found()))(stream, seen)

    vendor.always(answer)
    answers: list[EnrichmentResult] = []

    async def wait() -> None:
        answers.extend(await client.wait(["e1", "e2"], 60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        # The poll of the first has ended; that of the second has failed, or has ended too.
        await until(lambda: len(vendor.seen) >= 2 and "e1" not in client._poller._running)
        await until(lambda: all(poll.failures for poll in client._poller._running.values()))
        pass_time(60)
    one, two = answers
    assert (one.email, one.read_error) == (ADDRESS, None)
    assert (two.id, two.is_final, two.email) == ("e2", False, None)
    assert two.read_error is not None


async def test_an_outage_for_all_ids_is_an_error_and_never_an_answer(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(replies(503, HTML))
    with pytest.raises(ServiceUnavailable):
        await client.wait(["e1", "e2"], 0.4)


async def test_a_refused_key_ends_a_wait_for_many(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.always(replies(401, HTML))
    with pytest.raises(Unauthorized):
        await client.wait(["e1", "e2"], HANG)


async def test_a_wait_that_no_answer_has_reached_in_time_is_no_outage(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(accepts("e1"))
    vendor.always(ContractServer(takes=HANG))
    asked = await client.request(PROFILE, EmailType.WORK)
    [answer] = await client.wait(["e1"], 0.5)
    assert (answer.id, answer.status, answer.type) == ("e1", Status.PENDING, EmailType.WORK)
    assert answer.asked_at == asked.asked_at


async def test_the_more_are_waited_for_the_more_rarely_each_is_read(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "POLLS_A_SECOND", 1)
    vendor.always(ContractServer())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.wait, HUNDRED, 3 * HANG)
        await until_answered(client, *HUNDRED)
        await anyio.sleep(0.5)  # a second read of one would show
        read = [seen.path for seen in vendor.seen]
        assert len(read) == len(HUNDRED)
        assert len(read) == len(set(read)), "none was read again, as a hundred are waited for"
        pass_time(100)
        await until(lambda: len(vendor.seen) == 2 * len(HUNDRED))
        tasks.cancel_scope.cancel()


async def test_waiting_for_nothing_is_over_at_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    assert await client.wait([], 20) == []
    assert not vendor.seen


async def test_a_thousand_waits_in_one_process_stay_cheap(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    run = SQLiteFile.run

    async def counted(file: SQLiteFile, work: Any) -> Any:
        nonlocal looks
        looks += 1
        return await run(file, work)

    monkeypatch.setattr(SQLiteFile, "run", counted)
    thousand = [f"e{number}" for number in range(1000)]
    lookups = ContractServer()
    vendor.always(lookups)
    for enrichment_id in thousand:
        lookups.end(found(enrichment_id))
    answers = await client.wait(thousand, 10 * HANG)
    assert all(answer.is_final for answer in answers)
    assert looks <= 2 + len(thousand)
    assert lookups.most_in_flight <= MAX_IN_FLIGHT
    assert len(vendor.seen) == len(thousand)
