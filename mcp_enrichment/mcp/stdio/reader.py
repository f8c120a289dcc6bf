"""What the client says, line by line, as far as it can be understood."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    JSONRPCRequest,
)

from mcp_enrichment.mcp.jsonrpc import InvalidMessage, parse_message
from mcp_enrichment.mcp.jsonrpc_ids import id_at_the_ends
from mcp_enrichment.mcp.stdio.fds import has_hung_up
from mcp_enrichment.mcp.stdio.lines import MAX_LINE, LineBuffer, TooLong

if TYPE_CHECKING:
    from mcp.types import JSONRPCMessage

    from mcp_enrichment.mcp.stdio.writer import StdoutWriter

CHUNK = 64 * 1024
"""Bytes that are read at once."""
PATIENCE = 0.2
"""Seconds for which a client that has closed stdin may take nothing, where its answers keep its
requests from being read to their end, before it is taken to have left."""

TOO_LONG = f"A message may have {MAX_LINE // 1024**2} MiB at most."

logger = logging.getLogger(__name__)


class StdinReader:
    """The SDK's stream of messages from the client. It reads only what it is asked for."""

    def __init__(self, fd: int, outgoing: StdoutWriter) -> None:
        self._fd = fd
        self._lines = LineBuffer()
        self._outgoing = outgoing
        self._has_ended = False
        self._of_request = ServerMessageMetadata(on_request_unanswered=outgoing.request_finished)

    async def receive(self) -> SessionMessage:
        """The next message. Raises `EndOfStream` once the client has closed stdin."""
        while True:
            await self._room()
            line = await self._line()
            try:
                message = _understood(line)
            except InvalidMessage as bad:
                await self._refuse(bad)
                continue
            if isinstance(message, JSONRPCRequest):
                self._outgoing.request_started()
                return SessionMessage(message, self._of_request)
            if message is not None:
                return SessionMessage(message)
            await anyio.lowlevel.checkpoint()  # lines and lines of junk must hold nobody up

    async def _refuse(self, bad: InvalidMessage) -> None:
        for answer in bad.answers():
            await self._room()
            self._outgoing.request_started()
            with suppress(anyio.BrokenResourceError):  # told by whoever keeps writing
                await self._outgoing.send(SessionMessage(answer))
            await anyio.lowlevel.checkpoint()

    async def _line(self) -> bytes | TooLong:
        while not self._lines:
            if self._has_ended:
                raise anyio.EndOfStream
            await self._read()
        return self._lines.pop()

    async def _read(self) -> None:
        await anyio.wait_readable(self._fd)
        try:
            chunk = os.read(self._fd, CHUNK)
        except BlockingIOError:  # nothing after all
            return
        except OSError:  # a socket that was reset, a terminal that was closed
            chunk = b""
        if chunk:
            self._lines.feed(chunk)
        else:
            self._lines.end()
            self._has_ended = True

    async def _room(self) -> None:
        while not self._outgoing.has_room:
            with anyio.move_on_after(PATIENCE) as pause:
                await self._outgoing.wait_for_change()
            if pause.cancelled_caught and has_hung_up(self._fd):
                raise anyio.EndOfStream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Nothing: the descriptor is its owner's to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _understood(line: bytes | TooLong) -> JSONRPCMessage | None:
    """The message; None for what needs no answer. Raises `BadMessage`."""
    if isinstance(line, TooLong):
        raise InvalidMessage(INVALID_REQUEST, TOO_LONG, id_at_the_ends(line.head, line.tail))
    if not line.strip():
        return None
    message, _ = parse_message(line)
    if message is None:
        logger.debug("a malformed notification was passed over")
    return message
