"""The stdio transport, on the event loop (Unix).

The SDK's transport uses a thread for each line that is read, written and flushed, and its waits
cannot be cancelled (bench/README.md, `face`). The SDK's server accepts either.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import INVALID_REQUEST, JSONRPCError, JSONRPCRequest, JSONRPCResponse

from mcp_enrichment.mcp.jsonrpc import HEAD, InvalidMessage, id_at_the_ends, parse_message
from mcp_enrichment.mcp.stdio.early import CHUNK, Handover
from mcp_enrichment.mcp.stdio.fds import has_hung_up, stdio_fds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.types import JSONRPCMessage

    from mcp_enrichment.mcp.sdk import Streams
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers

logger = logging.getLogger(__name__)

LINGER = 0.3
"""Seconds at shutdown for the client to read the messages that are not sent yet."""
GONE_SECONDS = 0.2
"""A client that has closed stdin, and reads nothing for so long while there is no room, counts as
gone: its last requests are not read."""
MAX_LINE = 4 * 1024 * 1024
"""Bytes. Only the two ends of a longer line are kept."""
TOO_LONG = f"A message may have {MAX_LINE // 1024**2} MiB at most."
MAX_UNSENT_BYTES = 1024 * 1024
"""Unsent bytes above which no more requests are read."""
MAX_OPEN_REQUESTS = 1000
"""Open requests above which no more are read."""


@asynccontextmanager
async def stdio_streams(early: EarlyAnswers | None) -> AsyncIterator[Streams]:
    """The streams of messages over stdin and stdout. They take over from `early`.

    Raises `BrokenPipeError` in an exception group once the client has closed stdout.
    """
    handover = early.stop() if early else Handover()
    with stdio_fds() as (from_client, to_client):
        writer = StdoutWriter(to_client, handover)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.keep_writing)
                yield StdinReader(from_client, writer, handover.received), writer
                tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(LINGER, shield=True):
                await writer.flush()


class _Stream:
    """The methods that the SDK requires of a stream besides the messages. The owner closes the
    descriptor."""

    async def aclose(self) -> None:
        """Does nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The two ends of a line that was too long. One of them may contain the id."""

    head: bytes
    tail: bytes


class LineBuffer:
    """Takes bytes and collects complete lines."""

    def __init__(self) -> None:
        self.complete: deque[bytes | TooLong] = deque()
        """Lines without their line breaks, the oldest first."""
        self._current = bytearray()
        self._head: bytes | None = None

    def feed(self, chunk: bytes) -> None:
        """Add bytes."""
        for number, piece in enumerate(chunk.split(b"\n")):
            if number:
                self.end()
            self._current += piece
            if len(self._current) > MAX_LINE:
                if self._head is None:
                    self._head = bytes(self._current[:HEAD])
                del self._current[:-HEAD]

    def end(self) -> None:
        """Complete the current line, if it is not empty."""
        if self._head is not None:
            logger.warning("a line of more than %d bytes was refused", MAX_LINE)
            self.complete.append(TooLong(self._head, bytes(self._current[-HEAD:])))
        elif self._current:
            self.complete.append(bytes(self._current))
        self._current.clear()
        self._head = None


class StdinReader(_Stream):
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
            while not self._writer.has_room:
                await self._wait_for_change()
            try:
                message = _parse(await self._next_line())
            except InvalidMessage as error:
                await self._refuse(error)
                continue
            if isinstance(message, JSONRPCRequest):
                self._writer.open_requests += 1
                return SessionMessage(message, self._of_request)
            if message is not None:
                return SessionMessage(message)
            await anyio.lowlevel.checkpoint()  # invalid lines must not block other tasks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def _next_line(self) -> bytes | TooLong:
        while not self._lines.complete:
            if self._has_ended:
                raise anyio.EndOfStream
            await anyio.wait_readable(self._fd)
            try:
                chunk = os.read(self._fd, CHUNK)
            except BlockingIOError:  # no data
                continue
            except OSError:  # a reset socket or a closed terminal
                chunk = b""
            if chunk:
                self._lines.feed(chunk)
            else:
                self._lines.end()
                self._has_ended = True
        return self._lines.complete.popleft()

    async def _refuse(self, error: InvalidMessage) -> None:
        for response in error.responses():
            while not self._writer.has_room:
                await self._wait_for_change()
            self._writer.open_requests += 1
            with suppress(anyio.BrokenResourceError):  # `keep_writing` raises it
                await self._writer.send(SessionMessage(response))
            await anyio.lowlevel.checkpoint()

    async def _wait_for_change(self) -> None:
        """Raises `EndOfStream` if the client is gone."""
        with anyio.move_on_after(GONE_SECONDS) as pause:
            await self._writer.wait_for_change()
        if pause.cancelled_caught and has_hung_up(self._fd):
            raise anyio.EndOfStream


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


class StdoutWriter(_Stream):
    """The SDK's stream of messages to the client, on a non-blocking descriptor.

    Sending never waits: a shutdown must not hang on a client that does not read. The reader bounds
    the memory instead: it stops while there is no room.
    """

    def __init__(self, fd: int, early: Handover | None = None) -> None:
        """`early`: the answers that are given already are not sent again."""
        self._fd = fd
        self.open_requests = 0
        """Requests that have no response yet."""
        self._unsent = bytearray(early.unsent if early else b"")
        self._answered = set(early.answered if early else ())
        self._broken: OSError | None = None
        self._is_stuck = anyio.Event()
        self._moved = anyio.Event()
        if self._unsent:
            self._is_stuck.set()

    async def send(self, item: SessionMessage) -> None:
        """Write the message now, or when the pipe has room.

        Raises `BrokenResourceError` if the client has closed the pipe.
        """
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            await self.request_finished()
            if item.message.id in self._answered:
                self._answered.remove(item.message.id)
                return
        if self._broken:
            raise anyio.BrokenResourceError
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        waiting = bool(self._unsent)
        self._unsent += line.encode() + b"\n"
        if not waiting:
            self._write()

    @property
    def has_room(self) -> bool:
        """Whether more requests may be read."""
        return len(self._unsent) <= MAX_UNSENT_BYTES and self.open_requests < MAX_OPEN_REQUESTS

    async def wait_for_change(self) -> None:
        """Return once a byte was written or a request has ended."""
        self._moved = anyio.Event()
        await self._moved.wait()

    async def request_finished(self) -> None:
        """Count a request as closed: it has a response, or the client has cancelled it."""
        self.open_requests -= 1
        self._moved.set()

    async def keep_writing(self) -> None:
        """Write the unsent bytes whenever the pipe has room. Never returns.

        Raises `BrokenPipeError` once the client has closed the pipe.
        """
        while True:
            await self._is_stuck.wait()
            self._is_stuck = anyio.Event()
            await self.flush()
            if self._broken:
                raise BrokenPipeError from self._broken

    async def flush(self) -> None:
        """Return once all bytes are sent or dropped."""
        while self._unsent:
            await anyio.wait_writable(self._fd)
            self._write()

    def _write(self) -> None:
        try:
            written = os.write(self._fd, self._unsent)
        except BlockingIOError:
            written = 0
        except OSError as error:  # a broken pipe, a reset socket, a terminal that was closed
            self._broken, written = error, len(self._unsent)
        del self._unsent[:written]
        self._moved.set()
        if self._unsent or self._broken:
            self._is_stuck.set()
