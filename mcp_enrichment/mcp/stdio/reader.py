"""Reads messages from stdin, line by line."""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import INVALID_REQUEST, JSONRPCRequest

from mcp_enrichment.mcp.jsonrpc import HEAD, InvalidMessage, id_at_the_ends, parse_message
from mcp_enrichment.mcp.stdio.fds import has_hung_up

if TYPE_CHECKING:
    from mcp.types import JSONRPCMessage

    from mcp_enrichment.mcp.stdio.writer import StdoutWriter

CHUNK = 64 * 1024
"""Bytes to read at once."""
GONE_SECONDS = 0.2
"""A client that has closed stdin, and reads nothing for so long while there is no room, counts as
gone: its last requests are not read."""

MAX_LINE = 4 * 1024 * 1024
"""Bytes. Only the two ends of a longer line are kept."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The two ends of a line that was too long. One of them may contain the id."""

    head: bytes
    tail: bytes


class LineBuffer:
    """Takes bytes and returns complete lines."""

    def __init__(self) -> None:
        self._complete: deque[bytes | TooLong] = deque()
        self._current = bytearray()
        self._head: bytes | None = None

    def __bool__(self) -> bool:
        """Whether a line is complete."""
        return bool(self._complete)

    def pop(self) -> bytes | TooLong:
        """Remove and return the oldest complete line, without its line break."""
        return self._complete.popleft()

    def feed(self, chunk: bytes) -> None:
        """Add bytes."""
        first, *others = chunk.split(b"\n")
        self._add(first)
        for piece in others:
            self.end()
            self._add(piece)

    def end(self) -> None:
        """Complete the current line, if it is not empty."""
        if self._head is not None:
            logger.warning("a line of more than %d bytes was refused", MAX_LINE)
            self._complete.append(TooLong(self._head, bytes(self._current[-HEAD:])))
        elif self._current:
            self._complete.append(bytes(self._current))
        self._current.clear()
        self._head = None

    def _add(self, piece: bytes) -> None:
        self._current += piece
        if len(self._current) > MAX_LINE:
            if self._head is None:
                self._head = bytes(self._current[:HEAD])
            del self._current[:-HEAD]


TOO_LONG = f"A message may have {MAX_LINE // 1024**2} MiB at most."

logger = logging.getLogger(__name__)


class StdinReader:
    """The SDK's stream of messages from the client."""

    def __init__(self, fd: int, writer: StdoutWriter, received: bytes = b"") -> None:
        """`received`: bytes that were read already."""
        self._fd = fd
        self._lines = LineBuffer()
        self._lines.feed(received)
        self._writer = writer
        self._has_ended = False
        self._of_request = ServerMessageMetadata(on_request_unanswered=writer.request_finished)

    async def receive(self) -> SessionMessage:
        """The next message. Raises `EndOfStream` once the client has closed stdin."""
        while True:
            await self._wait_for_room()
            line = await self._line()
            try:
                message = _parse(line)
            except InvalidMessage as error:
                await self._refuse(error)
                continue
            if isinstance(message, JSONRPCRequest):
                self._writer.request_started()
                return SessionMessage(message, self._of_request)
            if message is not None:
                return SessionMessage(message)
            await anyio.lowlevel.checkpoint()  # invalid lines must not block other tasks

    async def _refuse(self, error: InvalidMessage) -> None:
        for response in error.responses():
            await self._wait_for_room()
            self._writer.request_started()
            with suppress(anyio.BrokenResourceError):  # `keep_writing` raises it
                await self._writer.send(SessionMessage(response))
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
        except BlockingIOError:  # no data
            return
        except OSError:  # a reset socket or a closed terminal
            chunk = b""
        if chunk:
            self._lines.feed(chunk)
        else:
            self._lines.end()
            self._has_ended = True

    async def _wait_for_room(self) -> None:
        while not self._writer.has_room:
            with anyio.move_on_after(GONE_SECONDS) as pause:
                await self._writer.wait_for_change()
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
        """Does nothing: the owner closes the descriptor."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _parse(line: bytes | TooLong) -> JSONRPCMessage | None:
    """The message; None for a line that needs no response. Raises `InvalidMessage`."""
    if isinstance(line, TooLong):
        raise InvalidMessage(INVALID_REQUEST, TOO_LONG, id_at_the_ends(line.head, line.tail))
    if not line.strip():
        return None
    message, _ = parse_message(line)
    if message is None:
        logger.debug("a malformed notification was ignored")
    return message
