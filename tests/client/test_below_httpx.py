"""Exceptions that httpx lets through do not reach the user, and leak no connection."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import httpx
import pytest

from mcp_enrichment.client import http_api as wire_module
from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    OutcomeUnknown,
    ServiceUnavailable,
    Unauthorized,
)
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.net import http
from tests.support.certificates import self_signed
from tests.support.contract_server import PROFILE, enrichment
from tests.support.scripted_server import Behaviour, ReceivedRequest, ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ASKED = EnrichmentRequest(linkedin_url=PROFILE, type=EmailType.WORK)


def sends(*chunks: bytes, pause: float = 0.0) -> Behaviour:
    async def behave(stream: anyio.abc.SocketStream, _seen: ReceivedRequest) -> None:
        with suppress(anyio.BrokenResourceError):  # the reader has closed it
            for chunk in chunks:
                await stream.send(chunk)
                await anyio.sleep(pause)

    return behave


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


async def _breaks_the_encryption(raw: anyio.abc.SocketStream, context: ssl.SSLContext) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    async with raw:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await raw.send(outgoing.read())
                incoming.write(await raw.receive())
        await raw.send(outgoing.read())
        await raw.receive()
        await raw.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)


async def test_a_broken_encryption_is_an_outage_and_after_a_post_unknown(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=certificate))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    wire = HTTPApi(f"https://localhost:{port}", None, trusting)

    async def serve(stream: anyio.abc.SocketStream) -> None:
        await _breaks_the_encryption(stream, server)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        with pytest.raises(ServiceUnavailable) as caught:
            await wire.credits()
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        with pytest.raises(OutcomeUnknown):
            await wire.post(ASKED, key="key")
        tasks.cancel_scope.cancel()


async def test_a_cookie_is_neither_kept_nor_able_to_break_later_calls(
    vendor: ScriptedServer,
) -> None:
    vendor.will(replies(200, {"balance": 1}, {"set-cookie": "\x7f=1"}))
    vendor.will(
        sends(b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\nset-cookie: \xff=1\r\n\r\n{"balance":2}')
    )
    vendor.will(replies(200, {"balance": 3}))
    wire = HTTPApi(vendor.url, None, None)
    assert [(await wire.credits()).balance for _ in range(3)] == [1, 2, 3]
    assert "cookie" not in vendor.seen[-1].headers


@pytest.mark.parametrize(
    "location", [b"http://xn--a", b"http://[::1", b"\xff", b"http://a:99999999"]
)
async def test_a_redirect_to_nowhere_is_an_error_of_the_tree(
    vendor: ScriptedServer, location: bytes
) -> None:
    vendor.always(
        sends(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + location + b"\r\n\r\n")
    )
    wire = HTTPApi(vendor.url, None, None)
    with pytest.raises(EnrichmentError):
        await wire.credits()
    with pytest.raises(EnrichmentError):
        await wire.post(ASKED, key="key")
    assert len(vendor.seen) == 2


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_an_answer_that_comes_byte_by_byte_does_not_outlast_its_time(
    vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(wire_module, "RESPONSE_SECONDS", 0.2)
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.2)
    vendor.will(sends(start, *[b" "] * 1000, pause=0.05))
    with anyio.fail_after(HANG), pytest.raises(ServiceUnavailable):
        await HTTPApi(vendor.url, None, None).credits()


@pytest.mark.parametrize("key", ["k\n", "a b", "schlüssel", "k\x00", "“k”"])
async def test_a_key_that_no_server_can_have_given_is_refused_before_anything_is_sent(
    memory: Path, key: str
) -> None:
    with pytest.raises(Unauthorized, match="Nothing was sent") as caught:
        EnrichmentClient("http://127.0.0.1:1", api_key=key, memory=memory)
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://\x00", "http://999.1.1.1", "http://a:b"])
async def test_a_url_that_is_none_is_refused_before_anything_is_sent(
    memory: Path, url: str
) -> None:
    with pytest.raises(Unauthorized, match="Nothing was sent"):
        EnrichmentClient(url, memory=memory)


async def test_an_answer_of_another_path_is_not_taken_for_the_balance(
    vendor: ScriptedServer,
) -> None:
    vendor.will(replies(200, enrichment()))
    with pytest.raises(EnrichmentError):
        await HTTPApi(vendor.url, None, None).credits()
