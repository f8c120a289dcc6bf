"""The same request by two callers at the same time makes one POST and costs one credit."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream

from mcp_enrichment.client import submitter
from mcp_enrichment.contract.errors import CallbackRefused, OutcomeUnknown
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE, ContractServer, accepts, found
from tests.support.forks import open_process
from tests.support.scripted_server import ScriptedServer, hangs, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import Process, SocketStream

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient
    from tests.support.scripted_server import Behaviour, ReceivedRequest

pytestmark = pytest.mark.anyio

PAIRS = 200
GRACE = "https://www.linkedin.com/in/grace"
REFUSES_CALLBACK = replies(400, {"error": {"code": "invalid_callback_url", "message": ""}})
CONFLICT = replies(422, {"error": {"code": "idempotency_conflict", "message": ""}})


class Strict(ContractServer):
    """Answers a repeated key with a different body as our own service does: with a 422."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.conflicts = 0
        self._bodies: dict[str, bytes] = {}

    async def _post(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        key = seen.headers["idempotency-key"]
        if self._supports_idempotency and self._bodies.setdefault(key, seen.body) != seen.body:
            self.conflicts += 1
            await CONFLICT(stream, seen)
            return
        await super()._post(stream, seen)

    async def _get(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.path.endswith("/credits"):
            await replies(200, {"balance": 1000})(stream, seen)
        else:
            await super()._get(stream, seen)


async def _process(*arguments: str) -> Process:
    """A separate process, ready to send requests; a line on its stdin starts it."""
    process = await open_process([sys.executable, "-m", *arguments], stderr=None)
    assert process.stdout
    await BufferedByteReceiveStream(process.stdout).receive_until(b"ready\n", 100)
    return process


async def _go(process: Process) -> None:
    assert process.stdin
    await process.stdin.send(b"go\n")


async def _output_of(process: Process) -> Any:
    assert process.stdout
    text = "".join([part async for part in TextReceiveStream(process.stdout)])
    assert await process.wait() == 0
    await process.aclose()
    return json.loads(text)


@pytest.mark.parametrize("supports_idempotency", [False, True])
async def test_two_processes_with_the_same_request_pay_once_without_an_error(
    vendor: ScriptedServer, new_client: NewClient, memory: Path, *, supports_idempotency: bool
) -> None:
    service = Strict(supports_idempotency=supports_idempotency)
    vendor.always(service)
    async with new_client() as client:  # the server has shown whether it honours keys
        await client.request(GRACE, EmailType.WORK)
    arguments = ["tests.support.process_pair", vendor.url, str(memory), str(PAIRS), str(PAIRS + 1)]
    processes = [await _process(*arguments, name) for name in ("one", "two")]
    for process in processes:
        await _go(process)
    results = {
        name: await _output_of(process)
        for name, process in zip(("one", "two"), processes, strict=True)
    }
    assert len(vendor.posts) == service.accepted == PAIRS + 1
    assert service.conflicts == 0
    assert [results[name]["spent"] for name in results] == [PAIRS + 1] * 2
    for number in map(str, range(PAIRS)):
        both = [results[name]["results"][number] for name in ("one", "two")]
        assert [one[3] for one in both] == [f"one-{number}", f"two-{number}"]
        assert both[0][0] == both[1][0]
        joined, owned = sorted(both, key=lambda one: not one[1])
        assert (joined[1], joined[2], joined[4]) == (True, 0, True)
        assert (owned[1], owned[4]) == (False, False)


async def _holding(vendor: ScriptedServer, memory: Path, **process: str) -> Process:
    """A process whose POST was sent and has no answer yet."""
    sent = anyio.Event()

    async def hold(stream: SocketStream, seen: ReceivedRequest) -> None:
        sent.set()
        await hangs()(stream, seen)

    vendor.will(hold)
    asker = await _process("tests.support.process_pair", vendor.url, str(memory), "1", "50", "dead")
    await _go(asker)
    with anyio.fail_after(HANG):
        await sent.wait()
    return asker


async def _killed(vendor: ScriptedServer, memory: Path) -> None:
    asker = await _holding(vendor, memory)
    asker.kill()
    await asker.wait()
    await asker.aclose()


ADA = "https://www.linkedin.com/in/ada-0"


async def test_the_post_of_a_killed_process_is_sent_again_with_its_key_and_its_body(
    vendor: ScriptedServer, new_client: NewClient, memory: Path
) -> None:
    service = Strict(supports_idempotency=True)
    vendor.always(service)
    async with new_client() as client:
        await client.request(GRACE, EmailType.WORK)
        await _killed(vendor, memory)
        for secret in (b"dead-0", b"hooks.example.com", b"ada-0", b"k-secret"):
            assert all(secret not in file.read_bytes() for file in memory.parent.iterdir())
        answer = await client.request(
            ADA, EmailType.WORK, external_id="mine", callback_url="https://mine.example.com/"
        )
        assert (await client.credits()).spent_today == 2
    _, first, again = vendor.posts
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"]
    assert first.body == again.body
    assert (answer.external_id, answer.reused, answer.credits_charged) == ("mine", True, 0)
    assert answer.callback_dropped
    await anyio.to_thread.run_sync(client._store._file._thread.shutdown)  # it removes the lock
    assert {file.name for file in memory.parent.iterdir()} == {"memory.db", "memory.db-journal"}


async def test_the_post_of_a_killed_process_is_never_sent_again_where_keys_are_not_honoured(
    vendor: ScriptedServer, new_client: NewClient, memory: Path
) -> None:
    vendor.always(Strict())
    await _killed(vendor, memory)
    async with new_client() as client:
        with pytest.raises(OutcomeUnknown):
            await client.request(ADA, EmailType.WORK)
        assert (await client.credits()).spent_today == 1
    assert len(vendor.posts) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
async def test_a_stopped_process_is_succeeded_after_a_while_and_joins_when_it_goes_on(
    vendor: ScriptedServer, new_client: NewClient, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Strict(supports_idempotency=True)
    vendor.always(service)
    arrived, answer_it = anyio.Event(), anyio.Event()

    async def later(stream: SocketStream, seen: ReceivedRequest) -> None:
        arrived.set()
        await answer_it.wait()
        await service(stream, seen)

    async with new_client() as client:
        await client.request(GRACE, EmailType.WORK)
        vendor.will(later)
        asker = await _process(
            "tests.support.process_pair", vendor.url, str(memory), "1", "50", "old"
        )
        await _go(asker)
        await arrived.wait()
        os.kill(asker.pid, signal.SIGSTOP)
        monkeypatch.setattr(submitter, "SEND_LEASE_SECONDS", 0)
        answer = await client.request(ADA, EmailType.WORK)
        os.kill(asker.pid, signal.SIGCONT)
        answer_it.set()
        late = (await _output_of(asker))["results"]["0"]
        assert (await client.credits()).spent_today == 2
    assert late[:3] == [answer.id, True, 0]
    assert service.accepted == 2


async def test_a_conflict_on_its_own_key_keeps_the_credit_counted(
    vendor: ScriptedServer, client: EnrichmentClient
) -> None:
    vendor.will(CONFLICT, replies(200, {"balance": 5}))
    with pytest.raises(OutcomeUnknown):
        await client.request(PROFILE, EmailType.WORK)
    assert (await client.credits()).spent_today == 1


@pytest.mark.parametrize("then", [replies(503), replies(429), replies(402), replies(401)])
async def test_a_refusal_of_a_repeat_does_not_free_the_credit_of_the_first_try(
    vendor: ScriptedServer, new_client: NewClient, monkeypatch: pytest.MonkeyPatch, then: Behaviour
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.post_sender.POST_RETRY_SECONDS", 0.1)
    vendor.will(resets())
    vendor.always(then)
    async with new_client(supports_idempotency=True) as client:
        with pytest.raises(OutcomeUnknown):
            await client.request(PROFILE, EmailType.WORK)
        vendor.always(replies(200, {"balance": 5}))
        monkeypatch.setattr(client._api, "_rate_limited_until", 0.0)
        assert (await client.credits()).spent_today == 1


async def _both(client: EnrichmentClient, *callers: dict[str, Any]) -> list[Any]:
    """The result of each of these callers, who request at the same moment."""
    results: list[Any] = [None] * len(callers)

    async def ask(number: int, options: dict[str, Any]) -> None:
        try:
            results[number] = await client.request(PROFILE, EmailType.WORK, **options)
        except CallbackRefused as refused:
            results[number] = refused

    async with anyio.create_task_group() as tasks:
        for number, options in enumerate(callers):
            tasks.start_soon(ask, number, options)
    return results


async def test_a_joined_request_is_reported_as_reused_free_and_with_its_own_reference(
    vendor: ScriptedServer, client: EnrichmentClient
) -> None:
    vendor.will(replies(201, found() | {"external_id": "first"}))
    hook = "https://hooks.example.com/"
    results = await _both(
        client,
        {"external_id": "first", "callback_url": hook},
        {"external_id": "second", "callback_url": f"{hook}other"},
        {"callback_url": hook},
        {},
    )
    assert [one.reused for one in results] == [False, True, True, True]
    assert [one.credits_charged for one in results] == [1, 0, 0, 0]
    assert [one.external_id for one in results] == ["first", "second", None, None]
    assert [one.callback_dropped for one in results] == [False, True, False, False]


async def test_a_joined_request_is_not_refused_for_another_callers_callback(
    vendor: ScriptedServer, client: EnrichmentClient
) -> None:
    vendor.will(REFUSES_CALLBACK, accepts())
    refused, answer = await _both(client, {"callback_url": "https://no.example.com/"}, {})
    assert isinstance(refused, CallbackRefused)
    assert (answer.id, answer.reused) == ("e1", False)
    assert len(vendor.posts) == 2
