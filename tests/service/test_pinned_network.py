"""A hostile or broken receiver costs a callback attempt a bounded amount of memory and time, and
does not delay other receivers."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpcore
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

from mcp_enrichment.service.callbacks import callback_sender
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.callback_table import DeliveryResult
from tests.support.certificates import self_signed
from tests.support.fake_resolver import FakeResolver
from tests.support.running_service import ANY_LOOPBACK
from tests.support.scripted_server import ScriptedServer, hangs, replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.support.scripted_server import Behaviour, ReceivedRequest

pytestmark = pytest.mark.anyio
LONG = b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * (65 * 1024 - 64)
BUFFERED = 8 * 2**20
"""Bytes that a receiver may have sent beyond those that were read: the kernel buffers them."""


class Flood:
    """Sends the same piece repeatedly until the other side stops reading."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece * (1 + 2**16 // len(piece))
        self.sent = 0

    async def __call__(self, stream: SocketStream, _seen: ReceivedRequest) -> None:
        try:
            while self.sent < 2 * BUFFERED:
                await stream.send(self._piece)
                self.sent += len(self._piece)
        except anyio.BrokenResourceError:
            return


def once(piece: bytes) -> Behaviour:
    async def behave(stream: SocketStream, _seen: ReceivedRequest) -> None:
        await stream.send(piece)

    return behave


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that the sender trusts."""
    file = self_signed(tmp_path)
    context = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(httpcore, "default_ssl_context", lambda: context)
    return file


async def _sent_over_tls(certificate: Path, behaviour: Behaviour) -> DeliveryResult:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    end = ScriptedServer(url=f"https://localhost:{port}")
    end.will(behaviour)
    async with listener, anyio.create_task_group() as tasks:
        served = TLSListener(listener, context, standard_compatible=False)
        tasks.start_soon(served.serve, end.serve)
        with anyio.fail_after(HANG):
            sent = await CallbackSender(ANY_LOOPBACK).send(end.url, b"{}", {})
        tasks.cancel_scope.cancel()
    return sent


@pytest.mark.parametrize(
    "piece",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 E\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n",
    ],
)
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_receiver_that_answers_without_end_is_read_for_64_kib_and_left(
    trusted: Path, piece: bytes, encrypted: bool
) -> None:
    flood = Flood(piece)
    if encrypted:
        sent = await _sent_over_tls(trusted, flood)
    else:
        async with scripted_server() as receiver:
            receiver.will(flood)
            with anyio.fail_after(HANG):
                sent = await CallbackSender(ANY_LOOPBACK).send(receiver.url, b"{}", {})
    assert sent == DeliveryResult(outcome="unreachable")
    assert flood.sent < BUFFERED


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (LONG + b"a" * 64 + b"\r\n\r\n", DeliveryResult(outcome="unreachable")),
        (LONG[: 64 * 1024 - 4] + b"\r\n\r\n", DeliveryResult(outcome="delivered", http_status=200)),
    ],
    ids=["65 KiB", "64 KiB"],
)
async def test_a_head_is_read_up_to_64_kib(head: bytes, sent: DeliveryResult) -> None:
    assert callback_sender.MAX_READ == 64 * 1024
    async with scripted_server() as receiver:
        receiver.will(once(head))
        assert await CallbackSender(ANY_LOOPBACK).send(receiver.url, b"{}", {}) == sent


async def test_an_https_receiver_is_told(trusted: Path) -> None:
    sent = await _sent_over_tls(trusted, replies(200))
    assert sent == DeliveryResult(outcome="delivered", http_status=200)


async def test_certificates_are_read_once_and_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readers: list[int] = []
    read = httpcore.default_ssl_context

    def noted() -> ssl.SSLContext:
        readers.append(threading.get_ident())
        return read()

    monkeypatch.setattr(httpcore, "default_ssl_context", noted)
    monkeypatch.setattr(ssl, "create_default_context", _never_here(ssl.create_default_context))
    sender = CallbackSender(ANY_LOOPBACK)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(sender.send, "https://127.0.0.1:1/", b"{}", {})
    assert len(readers) == 1


def _never_here(make: Any) -> Any:
    here = threading.get_ident()

    def checked(*args: Any, **options: Any) -> Any:
        assert threading.get_ident() != here, "a context was made on the event loop"
        return make(*args, **options)

    return checked


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeResolver]:
    system = FakeResolver(monkeypatch, ["::1", "127.0.0.2", "127.0.0.1"])
    yield system
    system.end.set()


async def test_the_addresses_of_a_name_are_tried_until_one_connects(names: FakeResolver) -> None:
    async with scripted_server() as receiver:  # it listens on 127.0.0.1 alone
        receiver.will(replies(200))
        url = receiver.url.replace("127.0.0.1", "three.example")
        sent = await CallbackSender(ANY_LOOPBACK).send(url, b"{}", {})
    assert sent.delivered


async def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(
    names: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_sender, "CONNECT_SECONDS", 4.0)
    with socket.create_server(("127.0.0.2", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # with its queue full, no client can connect
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        end = ScriptedServer(url=f"http://three.example:{port}")
        end.will(replies(200))
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, end.serve)
            sent = await CallbackSender(ANY_LOOPBACK).send(end.url, b"{}", {})
            tasks.cancel_scope.cancel()
        for one in waiting:
            one.close()
    assert sent.delivered


async def test_names_that_do_not_resolve_hold_up_no_other_receiver(
    names: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.callbacks.callback_sender.ATTEMPT_SECONDS", 3600)
    sender = CallbackSender(ANY_LOOPBACK)
    async with scripted_server() as receiver, anyio.create_task_group() as tasks:
        receiver.will(replies(200))
        for number in range(40):
            tasks.start_soon(sender.send, f"http://slow-{number}.example/", b"{}", {})
        await anyio.lowlevel.checkpoint()
        url = receiver.url.replace("127.0.0.1", "three.example")
        with anyio.fail_after(HANG):  # seconds; those that hang would take an hour
            assert (await sender.send(url, b"{}", {})).delivered
        tasks.cancel_scope.cancel()


async def test_a_name_that_hangs_times_out(
    names: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.callbacks.callback_sender.ATTEMPT_SECONDS", 0.1)
    sent = await CallbackSender(ANY_LOOPBACK).send("http://slow.example/", b"{}", {})
    assert sent == DeliveryResult(outcome="timed-out")


async def test_a_receiver_that_hangs_times_out_over_tls_too(
    trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.callbacks.callback_sender.ATTEMPT_SECONDS", 0.5)
    assert await _sent_over_tls(trusted, hangs()) == DeliveryResult(outcome="timed-out")
