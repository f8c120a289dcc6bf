"""Equal requests of tasks, clients and processes with one state file make one POST."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream

from mcp_enrichment.contract.errors import OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, ContractServer, found
from tests.support.forks import open_process
from tests.support.scripted_server import ScriptedServer, hangs
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.abc import Process, SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio

KEY = "k-secret"


async def _asker(vendor: ScriptedServer, memory: Path, times: int) -> Process:
    """A separate process, ready to send its requests at once; a line on its stdin starts it."""
    arguments = [vendor.url, KEY, str(memory), str(times)]
    process = await open_process(
        [sys.executable, "-m", "tests.support.concurrent_requester", *arguments], stderr=None
    )
    assert process.stdout
    await BufferedByteReceiveStream(process.stdout).receive_until(b"ready\n", 100)
    return process


async def _let_go(processes: Sequence[Process]) -> list[list[str]]:
    """Start the processes; each result as (kind, id, address)."""
    for process in processes:
        assert process.stdin
        await process.stdin.send(b"go\n")
    told = []
    for process in processes:
        assert process.stdout
        text = "".join([part async for part in TextReceiveStream(process.stdout)])
        told += json.loads(text)
        assert await process.wait() == 0
        await process.aclose()
    return told


async def test_a_hundred_equal_requests_make_one_post(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    answers = []

    async def ask() -> None:
        answers.append(await client.request(PROFILE, EmailType.WORK, wait=HANG))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
        await lookups.read.wait()
        lookups.end(found())
    assert len(vendor.posts) == 1
    assert [answer.email for answer in answers] == [ADDRESS] * 100
    assert {answer.id for answer in answers} == {"e1"}
    assert sorted((answer.reused, answer.credits_charged) for answer in answers) == [
        (False, 1),
        *[(True, 0)] * 99,
    ]


@pytest.mark.parametrize("supports_idempotency", [False, True])
async def test_two_clients_of_one_memory_make_one_post(
    new_client: NewClient, vendor: ScriptedServer, supports_idempotency: bool
) -> None:
    lookups = ContractServer(supports_idempotency=supports_idempotency, takes=0.1)
    vendor.always(lookups)
    ids = []

    async def ask(client: EnrichmentClient) -> None:
        ids.append((await client.request(PROFILE, EmailType.WORK)).id)

    async with new_client() as one, new_client() as two, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask, one)
            tasks.start_soon(ask, two)
    assert ids == ["e1"] * 100
    assert len(vendor.posts) == 1


def _break(memory: Path) -> None:
    memory.parent.mkdir()
    memory.write_bytes(b"This is no database. " * 500)


@pytest.mark.parametrize(
    ("supports_idempotency", "broken"),
    [(False, False), (True, False), (False, True)],
    ids=["no keys", "keys", "no keys, a broken memory"],
)
async def test_four_processes_make_one_post(
    vendor: ScriptedServer, memory: Path, supports_idempotency: bool, broken: bool
) -> None:
    if broken:
        _break(memory)
    lookups = ContractServer(supports_idempotency=supports_idempotency, takes=0.05)
    lookups.end(found())
    vendor.always(lookups)
    with anyio.fail_after(HANG):
        processes = [await _asker(vendor, memory, 25) for _ in range(4)]
        told = await _let_go(processes)
    assert told == [["Answer", "e1", ADDRESS]] * 100
    assert len(vendor.posts) == 1 or supports_idempotency
    assert len({post.headers["idempotency-key"] for post in vendor.posts}) == 1
    assert len(list(memory.parent.glob("*.broken-*"))) == broken


async def _killed_in_the_middle(vendor: ScriptedServer, memory: Path) -> None:
    """Kill a process whose POST was sent and has no answer yet."""
    sent = anyio.Event()

    async def hold(stream: SocketStream, seen: ReceivedRequest) -> None:
        sent.set()
        await hangs()(stream, seen)

    vendor.will(hold)
    process = await _asker(vendor, memory, 1)
    assert process.stdin
    await process.stdin.send(b"go\n")
    await sent.wait()
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    await process.wait()
    await process.aclose()


async def test_a_process_killed_after_its_post_leaves_an_unknown_outcome(
    new_client: NewClient, vendor: ScriptedServer, memory: Path
) -> None:
    with anyio.fail_after(HANG):
        await _killed_in_the_middle(vendor, memory)
    async with new_client() as client:
        with pytest.raises(OutcomeUnknown):
            await client.request(PROFILE, EmailType.WORK)
        assert len(vendor.posts) == 1
        vendor.always(ContractServer())
        answer = await client.request(PROFILE, EmailType.WORK, force_refresh=True)
    assert (answer.id, len(vendor.posts)) == ("e1", 2)


async def test_a_process_killed_after_its_post_is_succeeded_where_keys_are_honoured(
    new_client: NewClient, vendor: ScriptedServer, memory: Path
) -> None:
    vendor.always(ContractServer(supports_idempotency=True))
    async with new_client() as client:
        await client.request("linkedin.com/in/grace", EmailType.WORK)
        with anyio.fail_after(HANG):
            await _killed_in_the_middle(vendor, memory)
        answer = await client.request(PROFILE, EmailType.WORK)
    assert answer.id == "e2"
    _, first, second = [post.headers["idempotency-key"] for post in vendor.posts]
    assert first == second
