"""What the server says, on its way into a pipe that may be full or broken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import anyio
from mcp.types import JSONRPCError, JSONRPCResponse

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage

MOST_UNSENT = 1024 * 1024
"""Bytes that the client has not taken yet, above which no more is to be read from it."""
MOST_UNANSWERED = 1000
"""Requests under way at once, above which no more is to be read either."""


class StdoutWriter:
    """The SDK's stream of messages to the client, on a descriptor that does not block.

    Sending never waits: a server that is told to end must not hang on a client that does not read.
    Memory is bounded by the reader instead, which stops where there is no room.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._unsent = bytearray()
        self._unanswered = 0
        self._broken: OSError | None = None
        self._is_stuck = anyio.Event()
        self._moved = anyio.Event()

    async def send(self, item: SessionMessage) -> None:
        """Send it at once, or as soon as the pipe takes it.

        Raises `BrokenResourceError` where the client has closed it.
        """
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            await self.request_finished()
        if self._broken:
            raise anyio.BrokenResourceError
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        waiting = bool(self._unsent)
        self._unsent += line.encode() + b"\n"
        if not waiting:
            self._write()

    @property
    def has_room(self) -> bool:
        """Whether the client may ask for more."""
        return len(self._unsent) <= MOST_UNSENT and self._unanswered < MOST_UNANSWERED

    async def wait_for_change(self) -> None:
        """Return once something was sent or answered."""
        self._moved = anyio.Event()
        await self._moved.wait()

    def request_started(self) -> None:
        """A request is under way."""
        self._unanswered += 1

    async def request_finished(self) -> None:
        """A request is no longer under way: it is answered, or was cancelled by the client."""
        self._unanswered -= 1
        self._moved.set()

    async def keep_writing(self) -> None:
        """Write what a full pipe has not taken, as it empties.

        Raises `BrokenPipeError` once the client has closed it.
        """
        while True:
            await self._is_stuck.wait()
            self._is_stuck = anyio.Event()
            await self.flush()
            if self._broken:
                raise BrokenPipeError from self._broken

    async def flush(self) -> None:
        """Return once all is sent, or cannot be."""
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

    async def aclose(self) -> None:
        """Nothing: the descriptor is its owner's to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
