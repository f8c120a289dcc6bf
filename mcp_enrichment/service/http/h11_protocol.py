"""HTTP over TCP with time limits, for clients that send nothing, slowly, or nonsense."""

from __future__ import annotations

import logging
import secrets
import sys
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mcp_enrichment.service.http.errors import REQUEST_ID, http_error_response

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

RECEIVE_SECONDS = 10.0
"""The timeout for receiving a request, from the connection or its first byte."""
MAX_CONNECTIONS = 10_000
BACKLOG = 100
"""Connections that wait to be accepted: so many may exceed the limit for a moment."""
KEPT_FREE = 256
"""File descriptors for other uses: the database, callbacks, the backlog."""

_BEING_RECEIVED = (h11.IDLE, h11.SEND_BODY)


def connections_within(files: int) -> int:
    """The connection limit of a process with this limit of file descriptors."""
    return min(max(files - KEPT_FREE, files // 2), MAX_CONNECTIONS)


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with a receive timeout, and with errors in the form of the contract."""

    most = MAX_CONNECTIONS
    """The most connections. Beyond it, each new one closes the one that waits longest."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.began = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def waits_for_its_caller(self) -> bool:
        """Whether no request of this connection is being answered."""
        answers = self.cycle is not None and not self.cycle.response_complete
        return not answers and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._received()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's sentence)
        # h11 has failed: its error says whether the request is too long, or no HTTP.
        status = getattr(sys.exception(), "error_status_hint", 400)
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the rest of the request is not read
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(status)
        self.transport.close()

    def _refuse(self, status: int) -> None:
        request_id = secrets.token_hex(8)
        answer = http_error_response(status, {REQUEST_ID: request_id, "Connection": "close"})
        head = h11.Response(status_code=status, headers=answer.raw_headers)
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        logger.info(
            "invalid HTTP was refused",
            extra={"fields": {"request_id": request_id, "status": status}},
        )

    def _make_room(self) -> None:
        """Close the connection that waits longest for its client; this one, if none does."""
        others = [one for one in self.connections if isinstance(one, BoundedProtocol)]
        waiting = [one for one in others if one is not self and one.waits_for_its_caller]
        min(waiting, key=lambda one: one.began, default=self).transport.abort()

    def _watch(self) -> None:
        """Set the timeout while a request is being received."""
        if self.conn.their_state not in _BEING_RECEIVED:
            self._received()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(RECEIVE_SECONDS, self.transport.abort)

    def _received(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
