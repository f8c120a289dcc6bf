"""The network of a world: each exchange has a random latency, and the plan gives some a fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import anyio
import httpcore
import httpx

from tests.support.contract_server import HTML

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.world import World


TEAM_HOST = "team.example"
"""The host name of the team's service."""


class Message(NamedTuple):
    """A request as it arrives."""

    method: str
    host: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


REFUSED = Answer(0, {}, b"")
"""In place of an answer: the connection is refused."""
CUT = Answer(-1, {}, b"")
"""In place of an answer: the connection is reset."""


class Receiver(Protocol):
    """A server behind a host name."""

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        """Take a message; answer it now, later or never."""


class NetworkFault(StrEnum):
    """A fault of one exchange. The names are as in `tests/support/response_faults.py`."""

    REFUSED = "refused"
    """No connection is made."""
    LOST = "request lost"
    """The request is dropped, and its sender gets no error."""
    CUT_BEFORE = "reset before arrival"
    CUT_AFTER = "reset after arrival"
    SILENT = "answer lost"
    """The request arrives, and its answer is dropped."""
    GATEWAY = "502 after arrival"
    OUTAGE = "503 before arrival"
    SLOW = "slow"
    """The request and the answer take up to a minute each."""
    TWICE = "duplicated"
    """The request arrives twice."""


SAFE = (NetworkFault.REFUSED, NetworkFault.OUTAGE)
"""Faults after which the sender knows that nothing has arrived."""
SLOWEST = 60.0
"""Seconds, at most, that a slow request or answer takes."""


@dataclass(eq=False)
class Network:
    """The hosts of a world."""

    world: World

    def __post_init__(self) -> None:
        self.hosts: dict[str, Receiver] = {}
        self.addresses: dict[str, str] = {}
        """The address of each host that callbacks go to."""
        self.faults: dict[int, NetworkFault] = {}
        """Faults by the number of the exchange."""
        self.cut_off: dict[str, float] = {}
        """The virtual time until which each of these hosts is partitioned from all others."""
        self.posts: list[NetworkFault | None] = []
        """The faults of the next POSTs to the team's service, the last one first."""
        self._exchanges = 0

    def cut_off_for(self, seconds: float, host: str) -> None:
        """Partition this host from all others for this long."""
        self.world.trace(f"{host} is cut off", seconds)
        self.cut_off[host] = self.world.scheduler.now + seconds

    def transport(self) -> httpx.AsyncBaseTransport:
        return _Transport(self)

    async def resolve(self, host: str, _port: int) -> Any:
        """The addresses of a host, as `socket.getaddrinfo` returns them."""
        await anyio.sleep(self._latency())
        if host not in self.addresses:
            raise OSError("the name is unknown")
        return [(0, 0, 0, "", (self.addresses[host], 0))]

    async def connect(self, address: str, _port: int) -> _Stream:
        """A connection to the host with this address."""
        await anyio.sleep(self._latency())
        return _Stream(self, next(host for host, at in self.addresses.items() if at == address))

    async def exchange(self, message: Message) -> Answer:
        """Send a message and wait for its answer. Raises `httpx.TransportError`."""
        fault = self._fault_of(message)
        where = f"{message.method} {message.path}"
        self.world.trace(f"{self.world.who} → {message.host} {where}", fault or "")
        await anyio.sleep(self._latency())
        if fault is NetworkFault.REFUSED:
            raise httpx.ConnectError("refused")
        if fault is NetworkFault.OUTAGE:
            return Answer(503, {}, HTML)
        if fault is NetworkFault.CUT_BEFORE:
            raise httpx.ReadError("reset")
        answer = await self._arrival(message, fault)
        if answer is REFUSED:
            raise httpx.ConnectError("refused")
        if answer is CUT or fault is NetworkFault.CUT_AFTER:
            raise httpx.ReadError("reset")
        return Answer(502, {}, HTML) if fault is NetworkFault.GATEWAY else answer

    def _fault_of(self, message: Message) -> NetworkFault | None:
        number, self._exchanges = self._exchanges, self._exchanges + 1
        fault = self.faults.get(number)
        if self.posts and (message.method, message.host) == ("POST", TEAM_HOST):
            fault = self.posts.pop() or fault
        if self.cut_off.get(message.host, 0.0) > self.world.scheduler.now:
            fault = NetworkFault.REFUSED if number % 2 else NetworkFault.LOST
        if fault is NetworkFault.TWICE and message.host != TEAM_HOST:
            fault = None  # the product cannot keep the network from duplicating other messages
        if message.method == "POST" and fault not in (*SAFE, None):
            self.world.truth.may_have_lost_a_post = True
        return fault

    async def _arrival(self, message: Message, fault: NetworkFault | None) -> Answer:
        """Deliver the message, and wait for its answer: for ever, if that is lost."""
        later, receiver = self.world.scheduler.later, self.hosts[message.host]
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        is_refused = False

        def reply(answer: Answer) -> None:
            nonlocal is_refused
            is_refused = answer is REFUSED
            self.world.trace(
                f"{message.host} answers {message.method} {message.path}", answer.status
            )
            if fault is not NetworkFault.SILENT:
                later(self._latency(fault), lambda: _set_once(answered, answer))

        if fault is not NetworkFault.LOST:
            later(self._latency(fault), lambda: receiver.receive(message, reply))
        if fault is NetworkFault.TWICE:
            again = self._latency(NetworkFault.SLOW)
            # Nothing is sent over a connection that is refused, and so nothing arrives twice.
            later(again, lambda: is_refused or receiver.receive(message, lambda _answer: None))
        return await answered

    def _latency(self, fault: NetworkFault | None = None) -> float:
        draw = self.world.scheduler.random
        if fault is NetworkFault.SLOW:
            return draw.uniform(0, SLOWEST)
        return draw.choice((0.0, 0.001, 0.02, 0.3))


def _set_once(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():
        answered.set_result(answer)


@dataclass(frozen=True)
class _Transport(httpx.AsyncBaseTransport):
    network: Network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        message = Message(
            method=request.method,
            host=request.url.host,
            path=request.url.path,
            query=request.url.query,
            headers=dict(request.headers),
            body=await request.aread(),
        )
        answer = await self.network.exchange(message)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection for one HTTP request, as the sender of callbacks makes it."""

    def __init__(self, network: Network, host: str) -> None:
        self._network, self._host = network, host
        self._sent = b""
        self._answer: bytes | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._sent += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        if self._answer is None:
            try:
                status, _, body = await self._network.exchange(self._message())
            except httpx.TransportError as error:
                raise httpcore.ReadError from error
            head = f"HTTP/1.1 {status} ?\r\ncontent-length: {len(body)}\r\n\r\n"
            self._answer = head.encode() + body
        now, self._answer = self._answer[:max_bytes], self._answer[max_bytes:]
        return now

    async def start_tls(self, *_args: Any, **_options: Any) -> _Stream:
        return self

    async def aclose(self) -> None:
        """Nothing is open."""

    def _message(self) -> Message:
        head, _, body = self._sent.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        return Message(method, self._host, path, b"", headers, body)
