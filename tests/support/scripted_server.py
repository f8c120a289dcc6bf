"""A real server on loopback in place of any remote end, with a scripted answer for each request."""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[SocketStream, ReceivedRequest], Awaitable[None]]


def replies(status: int = 200, body: Any = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """A complete answer; a body that is not bytes is sent as JSON."""
    is_json = not isinstance(body, bytes)
    content = json.dumps(body).encode() if is_json else body
    fields = {"content-type": "application/json"} if is_json else {}
    fields |= {"content-length": str(len(content)), "connection": "close"} | (headers or {})

    async def behave(stream: SocketStream, _seen: ReceivedRequest) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await stream.send(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content)

    return behave


def resets() -> Behaviour:
    """Reset the connection after the request was read."""

    async def behave(stream: SocketStream, _seen: ReceivedRequest) -> None:
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def breaks_off(after: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{") -> Behaviour:
    """Send half an answer, and close the connection."""

    async def behave(stream: SocketStream, _seen: ReceivedRequest) -> None:
        await stream.send(after)

    return behave


def hangs() -> Behaviour:
    """Never answer, as long as the test lasts."""

    async def behave(_stream: SocketStream, _seen: ReceivedRequest) -> None:
        await anyio.sleep_forever()

    return behave


@dataclass
class ScriptedServer:
    """Answers each request with the next behaviour; an unexpected request fails the test."""

    url: str
    seen: list[ReceivedRequest] = field(default_factory=list)
    unexpected: list[ReceivedRequest] = field(default_factory=list)
    _script: deque[Behaviour] = field(default_factory=deque)
    _always: Behaviour | None = None

    def will(self, *behaviours: Behaviour) -> None:
        """Answer the next requests in this way, in this order."""
        self._script.extend(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """Answer every request that is not scripted in this way."""
        self._always = behaviour

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def posts(self) -> list[ReceivedRequest]:
        return [seen for seen in self.seen if seen.method == "POST"]

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            seen = await _read_request(stream)
            if seen is None:
                return
            self.seen.append(seen)
            behaviour = self._script.popleft() if self._script else self._always
            if behaviour is None:
                self.unexpected.append(seen)
                behaviour = replies(599, {"error": {"code": "unexpected", "message": "?"}})
            await behaviour(stream, seen)


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A scripted server on a free port of loopback."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    end = ScriptedServer(url=f"http://127.0.0.1:{port}")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, end.serve)
        yield end
        tasks.cancel_scope.cancel()
    assert not end.unexpected, (
        f"unexpected requests: {[(s.method, s.path) for s in end.unexpected]}"
    )


async def _read_request(stream: SocketStream) -> ReceivedRequest | None:
    parser, body, head = h11.Connection(h11.SERVER), b"", None
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            try:
                parser.receive_data(await stream.receive())
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head:
            fields = {name.decode(): value.decode() for name, value in head.headers}
            return ReceivedRequest(head.method.decode(), head.target.decode(), fields, bytes(body))
        else:
            return None
