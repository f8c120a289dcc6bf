"""A callback goes to an allowed IP address only; each attempt ends soon, with one of few
outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from mcp_enrichment.service.callbacks import callback_sender
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.callback_table import DeliveryResult
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from tests.support.fake_resolver import FakeResolver
from tests.support.running_service import ANY_LOOPBACK
from tests.support.scripted_server import breaks_off, hangs, replies, resets, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from anyio.abc import SocketStream

    from tests.support.scripted_server import Behaviour

pytestmark = pytest.mark.anyio
SIGNED = {"webhook-id": "msg_1"}
REFUSED_ON_CONNECTING = DeliveryResult(outcome="address-refused", may_try_again=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlyThisHost(CallbackURLPolicy):
    """Allows 127.0.0.1 in place of public addresses, so that a test can connect to it."""

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        return str(address) == "127.0.0.1"


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["2606:4700:4700::1111", "fd00::1"],
    ],
)
async def test_a_name_with_any_private_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    FakeResolver(monkeypatch, answers)
    async with scripted_server() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        assert (
            await CallbackSender(CallbackURLPolicy()).send(url, b"{}", SIGNED)
            == REFUSED_ON_CONNECTING
        )
    assert receiver.seen == []


async def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = FakeResolver(
        monkeypatch, ["127.0.0.1"], ["127.0.0.2"]
    )  # resolves differently after the first look-up
    async with scripted_server() as receiver:
        receiver.will(replies(200))
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        sent = await CallbackSender(OnlyThisHost()).send(url, b"{}", SIGNED)
    assert sent.delivered
    assert names.asked == ["hooks.example.com"]
    assert receiver.seen[0].headers["host"] == url.removeprefix("http://")
    assert receiver.seen[0].headers["webhook-id"] == "msg_1"


async def test_each_attempt_checks_the_address_again(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeResolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    async with scripted_server() as receiver:
        receiver.will(replies(500))
        url, sends = receiver.url.replace("127.0.0.1", "a.example"), CallbackSender(OnlyThisHost())
        assert (await sends.send(url, b"{}", SIGNED)).http_status == 500
        assert await sends.send(url, b"{}", SIGNED) == REFUSED_ON_CONNECTING


@pytest.mark.parametrize(
    ("behaviour", "sent"),
    [
        (replies(200), DeliveryResult(outcome="delivered", http_status=200)),
        (replies(200, b"x" * 3_000_000), DeliveryResult(outcome="delivered", http_status=200)),
        (replies(410), DeliveryResult(outcome="http-error", http_status=410, may_try_again=False)),
        *[
            (
                replies(503, headers={name: "7"}),
                DeliveryResult(outcome="http-error", http_status=503, retry_after=7),
            )
            for name in ("retry-after", "Retry-After", "RETRY-AFTER", "Retry-after")
        ],
        (
            replies(307, headers={"location": "/x"}),
            DeliveryResult(outcome="http-error", http_status=307),
        ),
        (resets(), DeliveryResult(outcome="unreachable")),
        (breaks_off(b""), DeliveryResult(outcome="unreachable")),
        (breaks_off(b"SSH-2.0-OpenSSH\r\n"), DeliveryResult(outcome="unreachable")),
        (hangs(), DeliveryResult(outcome="timed-out")),
    ],
)
async def test_a_try_ends_in_one_of_few_ways_whatever_the_receiver_does(
    monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour, sent: DeliveryResult
) -> None:
    if sent.outcome == "timed-out":
        monkeypatch.setattr(callback_sender, "ATTEMPT_SECONDS", 0.3)
    async with scripted_server() as receiver:
        receiver.will(behaviour)
        with anyio.fail_after(HANG):
            assert await CallbackSender(ANY_LOOPBACK).send(receiver.url, b"{}", SIGNED) == sent


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "https://127.0.0.1:1/",
        "http://no-such-name.invalid/",
        "http://" + "x" * 64 + ".example/",
        "http://a..b/",
        "http://./",
        "http://xn--a/",
        "http://[fe80::1%25none]/",
        "http://127.0.0.1:0/",
    ],
)
async def test_a_url_that_leads_nowhere_is_unreachable_and_raises_nothing(url: str) -> None:
    sent = await CallbackSender(ANY_LOOPBACK).send(url, b"{}", SIGNED)
    assert sent.outcome == "unreachable"


async def test_an_https_receiver_that_speaks_no_tls_is_unreachable() -> None:
    async def say_hello(stream: SocketStream) -> None:
        await stream.send(b"220 mail.example.com ESMTP\r\n")
        await stream.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, say_hello)
        url = f"https://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/"
        sent = await CallbackSender(ANY_LOOPBACK).send(url, b"{}", SIGNED)
        tasks.cancel_scope.cancel()
    assert sent == DeliveryResult(outcome="unreachable")
