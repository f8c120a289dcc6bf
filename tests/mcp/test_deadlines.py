"""No call outlasts its cap, and a request that was started is not lost."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.mcp import arguments
from mcp_enrichment.settings import Settings
from tests.mcp.faces import ADA, ID, ONE_CALL_OF_EACH, WORK, data_of, error_of, face, wire
from tests.support.passing_time import pass_time
from tests.support.scripted_server import ReceivedRequest, hangs, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream
    from mcp import Client

    from tests.support.scripted_server import Behaviour, ScriptedServer

pytestmark = pytest.mark.anyio

CAP = 1.0
LONG_CAP = 50
"""Seconds that a test lets pass."""


async def test_a_request_can_wait_for_as_long_as_its_cap_and_still_answer(
    monkeypatch: pytest.MonkeyPatch, vendor: ScriptedServer, buyer: Client
) -> None:
    monkeypatch.setattr(arguments, "WAIT_CAP", LONG_CAP)
    began = anyio.current_time()

    async def until_the_cap(stream: SocketStream, seen: ReceivedRequest) -> None:
        if len(vendor.seen) == 3:  # the answer to the first read has come
            pass_time(began + LONG_CAP - anyio.current_time())
        await replies(200, wire("pending"))(stream, seen)

    vendor.always(until_the_cap)
    waits = WORK | {"wait_seconds": LONG_CAP}
    asked = data_of(await buyer.call_tool("request_email_enrichment", waits))
    assert (asked["status"], asked["is_final"], asked["email"]) == ("pending", False, None)
    assert "wait_for_enrichment" in asked["next_step"]


async def test_a_wait_that_is_late_as_its_process_is_busy_still_tells_what_it_knows(
    vendor: ScriptedServer, buyer: Client
) -> None:
    began = anyio.current_time()

    async def until_it_is_busy(stream: SocketStream, seen: ReceivedRequest) -> None:
        if len(vendor.seen) == 2:  # the answer to the first read has come
            pass_time(began + LONG_CAP - 0.1 - anyio.current_time())
            # The process continues only after the time at which the wait was to be cut off.
            asyncio.get_running_loop().call_soon(time.sleep, 0.9)
        await replies(200, wire("processing"))(stream, seen)

    vendor.always(until_it_is_busy)
    waits = {"ids": [ID], "timeout_seconds": LONG_CAP}
    waited = await buyer.call_tool("wait_for_enrichment", waits)
    assert data_of(waited)["timeout_applied"]


async def trickles(stream: SocketStream, _seen: ReceivedRequest) -> None:
    """Sends one byte of an answer every 50 ms, without end."""
    await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n")
    with suppress(anyio.BrokenResourceError):
        while True:
            await anyio.sleep(0.05)
            await stream.send(b" ")


@pytest.mark.parametrize("far_end", [hangs(), trickles])
async def test_no_call_outlasts_its_cap_for_a_vendor_that_never_finishes(
    far_end: Behaviour,
    vendor: ScriptedServer,
    remote: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vendor.always(far_end)
    await _all_end_within_their_cap(remote, monkeypatch)


# httpcore leaves the socket of a cancelled handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_no_call_outlasts_its_cap_for_a_server_that_hangs_in_the_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(stream: SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, silent)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        never = Settings(api_url=f"https://127.0.0.1:{port}", state_dir=tmp_path)
        await _all_end_within_their_cap(never, monkeypatch)
        tasks.cancel_scope.cancel()
    gc.collect()


async def _all_end_within_their_cap(settings: Settings, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arguments, "WAIT_CAP", CAP)
    patch.setattr(arguments, "READ_CAP", CAP)

    async with face(settings, "legacy") as client, anyio.create_task_group() as tasks:

        async def in_time(tool: str, given: dict[str, Any]) -> None:
            with anyio.fail_after(HANG):  # seconds; the server never finishes
                error = error_of(await client.call_tool(tool, given))
            spends = tool == "request_email_enrichment"
            assert (error["code"], error["retryable"]) == ("service_unavailable", True)
            assert error["charged"] is (None if spends else False)

        for tool, given in ONE_CALL_OF_EACH.items():
            tasks.start_soon(in_time, tool, given)


async def test_a_request_that_was_cut_off_is_joined_when_it_is_made_again(
    vendor: ScriptedServer, buyer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "WAIT_CAP", 0.2)
    may_answer = anyio.Event()

    async def late(stream: SocketStream, seen: ReceivedRequest) -> None:
        await may_answer.wait()
        await replies(201, wire("completed"))(stream, seen)

    vendor.will(late)
    cut_off = error_of(await buyer.call_tool("request_email_enrichment", WORK))
    assert "joined, not paid for twice" in cut_off["sentence"]
    monkeypatch.setattr(arguments, "WAIT_CAP", HANG)
    may_answer.set()
    vendor.always(replies(200, wire("completed")))
    again = data_of(await buyer.call_tool("request_email_enrichment", WORK))
    assert (again["email"], again["linkedin_url"]) == ("ada.okafor@example.com", ADA)
    assert len(vendor.posts) == 1
