"""The stream of events that answers one call over HTTP, for what may go the short way."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Send

EVENTS = (b"content-type", b"text/event-stream")
"""How the SDK begins a stream for a call of the era without a handshake; for the older one it adds
a charset, and numbers its events by itself."""


class EventStream:
    """Stands in for `send`, and knows from what goes through it whether a stream is open.

    Through the SDK a notification wakes two tasks and costs three times as much: ten thousand
    calls, each told every few seconds that it still runs, would leave time for little else.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        """Send what the SDK has to send."""
        if message["type"] == "http.response.start":
            self._is_open = EVENTS in message["headers"]
        elif not message.get("more_body"):
            self._is_open = False
        await self._send(message)

    def tell(self, method: str, params: Mapping[str, Any]) -> bool:
        """Send a notification at once; False where that cannot be: no event has opened the stream
        yet, or its client does not take what was sent before."""
        if not self._is_open:
            return False
        told = {"jsonrpc": "2.0", "method": method, "params": params}
        data = json.dumps(told, separators=(",", ":"))
        event = f"event: message\r\ndata: {data}\r\n\r\n".encode()
        message = {"type": "http.response.body", "body": event, "more_body": True}
        sending = self._send(message).__await__()
        try:
            next(sending)
        except StopIteration:
            return True
        sending.close()  # it waits for room, and has sent nothing
        return False


stream_of_call: ContextVar[EventStream | None] = ContextVar("stream_of_call", default=None)
"""Set for each call over HTTP before the SDK sees it."""
