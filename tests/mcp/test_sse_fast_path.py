"""What is told on an open stream beside the SDK: whole events, at once or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.mcp.sse_fast_path import EventStream

if TYPE_CHECKING:
    from starlette.types import Message

pytestmark = pytest.mark.anyio

BEGIN = {"type": "http.response.start", "status": 200}
EVENTS = {"headers": [(b"content-type", b"text/event-stream")]}
FIRST = {"type": "http.response.body", "body": b"event: message\r\n\r\n", "more_body": True}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}


class Socket:
    """Where a server sends to; while it is full, whoever sends waits."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.is_full = False

    async def send(self, message: Message) -> None:
        if self.is_full:
            await anyio.sleep_forever()
        self.sent.append(message)


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
async def stream(socket: Socket) -> EventStream:
    stream = EventStream(socket.send)
    await stream(BEGIN | EVENTS)
    await stream(FIRST)
    return stream


def _tell(stream: EventStream) -> bool:
    return stream.tell("notifications/progress", {"progressToken": "ü\n", "progress": 3.0})


async def test_a_notification_is_one_event_of_the_stream(
    socket: Socket, stream: EventStream
) -> None:
    assert _tell(stream)
    event = socket.sent[-1]["body"].decode()
    assert socket.sent[-1]["more_body"]
    name, data, *rest = event.split("\r\n")
    assert (name, rest) == ("event: message", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": "ü\n", "progress": 3.0},
    }


@pytest.mark.parametrize("headers", [None, [(b"content-type", b"application/json")]])
async def test_nothing_is_told_into_an_answer_that_is_no_stream(
    socket: Socket, headers: Any
) -> None:
    stream = EventStream(socket.send)
    if headers:
        await stream(BEGIN | {"headers": headers})
    before = list(socket.sent)
    assert not _tell(stream)
    assert socket.sent == before


async def test_nothing_is_told_after_the_end(socket: Socket, stream: EventStream) -> None:
    await stream(LAST)
    assert not _tell(stream)
    assert socket.sent[-1] == LAST


async def test_a_client_that_takes_nothing_is_told_nothing_and_nobody_waits_for_it(
    socket: Socket, stream: EventStream
) -> None:
    socket.is_full = True
    assert not _tell(stream)
    socket.is_full = False
    assert socket.sent[-1] == FIRST
    assert _tell(stream)
