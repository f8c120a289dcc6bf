"""A peer that sends nothing, sends slowly, too much or nonsense, with a key or without, does not
keep the service from others."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.service.http import h11_protocol
from mcp_enrichment.service.http.h11_protocol import BoundedProtocol, connections_within
from tests.support.http_listener import calling, listening
from tests.support.keyed_client import create_key
from tests.support.openapi import must_be
from tests.support.running_service import running_service
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
HEALTH = b"GET /health HTTP/1.1\r\nHost: it\r\n\r\n"
POST = f"POST {ENRICHMENTS} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /health HT",
        POST.encode(),
        f"{POST}Content-Length: 100\r\n\r\n{{".encode(),
        f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\n".encode(),
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half a chunk"],
)
async def test_a_request_that_does_not_come_in_whole_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(h11_protocol, "RECEIVE_SECONDS", 1.0)
    async with running_service(path, jobs=False) as it, listening(it) as port:
        if b"Length" in said or b"chunked" in said:
            said = said.replace(
                b"\r\n", f"\r\nx-api-key: {await create_key(it, 'lumen')}\r\n".encode(), 1
            )
        async with calling(port) as caller:
            await caller.say(said)
            await caller.answer()  # the connection closes, or the test fails


async def test_one_byte_now_and_then_does_not_keep_a_connection(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h11_protocol, "RECEIVE_SECONDS", 1.0)
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        calling(port) as caller,
    ):
        await caller.say(HEALTH)
        assert b"200 OK" in await caller.head()  # the time starts anew for each request
        with anyio.fail_after(HANG), suppress(ConnectionError):
            while True:
                await caller.say(b"G" * 3)
                await anyio.sleep(0.02)


async def test_an_answer_that_takes_long_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h11_protocol, "RECEIVE_SECONDS", 0.5)
    async with running_service(path, jobs=False) as it, listening(it) as port:
        request_id, key = await it.accepted(), await create_key(it, "default")
        head = f"GET {ENRICHMENTS}/{request_id} HTTP/1.1\r\nHost: it\r\nx-api-key: {key}\r\n"
        async with calling(port) as caller:
            await caller.say(f"{head}Prefer: wait=2\r\n\r\n".encode())
            assert b"200 OK" in await caller.head()


async def test_silent_connections_make_room_for_those_who_ask(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "most", 5)
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        AsyncExitStack() as silent,
    ):
        waiting = [await silent.enter_async_context(calling(port)) for _ in range(30)]
        for _ in range(3):
            async with calling(port) as caller:
                await caller.say(HEALTH)
                assert b"200 OK" in await caller.head()
        for longest in waiting[:20]:
            await longest.answer()  # the connection was closed, or the test fails


def test_connections_leave_files_for_the_rest() -> None:
    assert connections_within(1024) == 1024 - 256
    assert connections_within(300) == 150
    assert connections_within(1_000_000) == 10_000


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"\x16\x03\x01\x02\x00hello\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: it\r\nX-Long: " + b"a" * 70_000, 431),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\nno number\r\n".encode(), 400),
    ],
    ids=["TLS", "no host", "a head of 70 kB", "a chunk without a size"],
)
async def test_what_is_no_http_is_told_so_in_the_form_of_the_contract(
    path: Path, said: bytes, status: int
) -> None:
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        calling(port) as caller,
    ):
        await caller.say(said)
        head, _, body = (await caller.answer()).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/json" in head.lower()
    assert re.search(rb"(?i)\r\nx-request-id: [0-9a-f]{16}\r\n", head + b"\r\n")
    must_be("Error", json.loads(body))


@pytest.mark.parametrize("known", [True, False], ids=["a key", "no key"])
@pytest.mark.parametrize("length", ["Content-Length: 10000000000", "Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_long_is_not_swallowed(
    path: Path, length: str, known: bool
) -> None:
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        calling(port) as caller,
    ):
        key = await create_key(it, "lumen") if known else "none"
        await caller.say(f"{POST}x-api-key: {key}\r\n{length}\r\n\r\n".encode())
        if known and "chunked" in length:  # its length is known only from what is sent
            await caller.say(b"11000\r\n" + b" " * 0x11000)
        head = await caller.head()
        assert head.startswith(b"HTTP/1.1 413 " if known else b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close" in head.lower()
        await caller.answer()  # closed without another byte, or the test fails


async def test_a_body_that_was_read_keeps_the_connection(path: Path) -> None:
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        calling(port) as caller,
    ):
        key = await create_key(it, "lumen")
        await caller.say(f"{POST}x-api-key: {key}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        refused = await caller.head()
        await caller.say(f"GET {CREDITS} HTTP/1.1\r\nHost: it\r\nx-api-key: {key}\r\n\r\n".encode())
        again = await caller.head()
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" not in refused.lower()
    assert b"HTTP/1.1 200 OK" in again


async def test_expecting_to_send_too_much_is_refused_without_being_asked_for_it(
    path: Path,
) -> None:
    async with (
        running_service(path, jobs=False) as it,
        listening(it) as port,
        calling(port) as caller,
    ):
        key = await create_key(it, "lumen")
        expects = f"x-api-key: {key}\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"
        await caller.say(f"{POST}{expects}".encode())
        assert (await caller.head()).startswith(b"HTTP/1.1 413 ")
