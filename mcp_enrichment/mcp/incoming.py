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
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from mcp_enrichment.mcp.descriptors import has_hung_up
from mcp_enrichment.mcp.lines import Lines
from mcp_enrichment.mcp.unreadable import unreadable_answer

if TYPE_CHECKING:
    from mcp.types import JSONRPCMessage

    from mcp_enrichment.mcp.outgoing import Outgoing

CHUNK = 64 * 1024
"""Bytes that are read at once."""
PATIENCE = 0.2
"""Seconds for which a client that has closed stdin may take nothing, where its answers keep its
requests from being read to their end, before it is taken to have left."""

NO_BATCHES = JSONRPCError(
    jsonrpc="2.0",
    id=None,
    error=ErrorData(
        code=INVALID_REQUEST, message="Batches are not taken: send one message a line."
    ),
)
"""2025-03-26 has batches; a client that sends one would wait for ever."""

logger = logging.getLogger(__name__)


class Incoming:
    """The SDK's stream of messages from the client. It reads only what it is asked for."""

    def __init__(self, fd: int, outgoing: Outgoing) -> None:
        self._fd = fd
        self._lines = Lines()
        self._outgoing = outgoing
        self._has_ended = False
        self._of_request = ServerMessageMetadata(on_request_unanswered=outgoing.settled)

    async def receive(self) -> SessionMessage:
        """The next message. Raises `EndOfStream` once the client has closed stdin."""
        while True:
            await self._room()
            line = await self._line()
            message = _understood(line)
            if message is None:
                if line.lstrip().startswith(b"["):
                    await self._refuse_batch()
                await anyio.lowlevel.checkpoint()  # lines and lines of junk must hold nobody up
            elif isinstance(message, JSONRPCRequest):
                self._outgoing.asked()
                return SessionMessage(message, self._of_request)
            else:
                return SessionMessage(message)

    async def _refuse_batch(self) -> None:
        self._outgoing.asked()
        with suppress(anyio.BrokenResourceError):  # told by whoever keeps writing
            await self._outgoing.send(SessionMessage(NO_BATCHES))

    async def _line(self) -> bytes:
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
                await self._outgoing.moves()
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


def _understood(line: bytes) -> JSONRPCMessage | None:
    """The message; None for what is none, which the SDK passes over without an answer as well."""
    text = line.decode("utf-8", errors="replace")
    try:
        return jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError:
        if refused := unreadable_answer(text):
            return refused
        logger.debug("a line that is no JSON-RPC message was passed over")
        return None
