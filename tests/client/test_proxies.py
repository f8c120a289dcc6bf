"""If a proxy or TLS fails before the request is sent, nothing is spent, and the error says so."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.state.spending import Budget
from mcp_enrichment.contract.errors import OutcomeUnknown, ServiceUnavailable
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.net import http
from tests.support.contract_server import PROFILE
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio


REMOTE = "https://api.example.com"


def _says(answer: bytes) -> Callable[[SocketStream], Awaitable[None]]:
    async def behave(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(answer)

    return behave


async def _closes_at_once(stream: SocketStream) -> None:
    await stream.aclose()


async def _closes_unread(stream: SocketStream) -> None:
    await stream.receive(1)


async def _resets(stream: SocketStream) -> None:
    await stream.receive()
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _says_nothing(_stream: SocketStream) -> None:
    await anyio.sleep_forever()


TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
FAULTS = {
    "closes at once": _closes_at_once,
    "closes without reading all": _closes_unread,
    "closes after CONNECT": _says(b""),
    "resets": _resets,
    "says nothing": _says_nothing,
    "junk": _says(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "half an answer": _says(b"HTTP/1.1 200 Conn"),
    "407": _says(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"),
    "502": _says(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"),
    "503 with a body cut short": _says(b"HTTP/1.1 503 No\r\ncontent-length: 99\r\n\r\nx"),
    "the tunnel ends before TLS": _says(TUNNEL),
    "no TLS in the tunnel": _says(TUNNEL + b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@asynccontextmanager
async def _listening(behave: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """A port of loopback where this function handles each connection, which is then closed."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await behave(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_enrichment.client.post_sender.POST_RETRY_SECONDS", 0)
    monkeypatch.setattr("mcp_enrichment.client.client.READ_SECONDS", 0)
    monkeypatch.setattr("mcp_enrichment.client.http_api.POST_SECONDS", 0.5)
    monkeypatch.setattr("mcp_enrichment.client.http_api.RESPONSE_SECONDS", 0.5)


async def _spends_nothing(url: str, memory: Path) -> None:
    budget = Budget(daily=1)
    async with EnrichmentClient(url, api_key="k-secret", memory=memory, budget=budget) as client:
        for _ in range(2):  # the first one would use up the budget
            with pytest.raises(ServiceUnavailable) as caught:
                await client.request(PROFILE, EmailType.WORK)
            assert (caught.value.charged, caught.value.retryable) == (False, True)
        assert await client._store.spent_today() == 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_proxy_that_makes_no_tunnel_costs_nothing(
    memory: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[SocketStream], Awaitable[None]]
) -> None:
    async with _listening(fault) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        await _spends_nothing(REMOTE, memory)


@pytest.mark.parametrize(
    "fault", [_closes_at_once, _resets, _says(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
)
async def test_a_server_that_speaks_no_tls_costs_nothing(
    memory: Path, fault: Callable[[SocketStream], Awaitable[None]]
) -> None:
    async with _listening(fault) as port:
        await _spends_nothing(f"https://127.0.0.1:{port}", memory)


async def test_a_plain_proxy_that_breaks_after_it_was_sent_the_request_leaves_the_outcome_unknown(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.client.http_api.POST_SECONDS", HANG)
    async with _listening(_resets) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        async with EnrichmentClient("http://api.example.com", memory=memory) as client:
            with pytest.raises(OutcomeUnknown):
                await client.request(PROFILE, EmailType.WORK)
            assert await client._store.spent_today() == 1


async def test_an_unknown_trace_event_counts_as_sent() -> None:
    way = http._SendProgress()
    await way.trace("connection.connect_tcp.started", {})
    assert way.is_unsent
    await way.trace("http3.sends_all.started", {})
    assert not way.is_unsent
