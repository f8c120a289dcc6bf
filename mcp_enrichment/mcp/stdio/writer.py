"""Writes messages to stdout, which may be full or broken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import anyio
from mcp.types import JSONRPCError, JSONRPCResponse

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage

    from mcp_enrichment.mcp.stdio.early import Handover

MAX_UNSENT_BYTES = 1024 * 1024
"""Unsent bytes above which no more requests are read."""
MAX_OPEN_REQUESTS = 1000
"""Open requests above which no more are read."""


class StdoutWriter:
    """The SDK's stream of messages to the client, on a non-blocking descriptor.

    Sending never waits: a shutdown must not hang on a client that does not read. The reader bounds
    the memory instead: it stops while there is no room.
    """

    def __init__(self, fd: int, early: Handover | None = None) -> None:
        """`early`: the answers that are given already are not sent again."""
        self._fd = fd
        self._unsent = bytearray(early.unsent if early else b"")
        self._answered = set(early.answered if early else ())
        self._open_requests = 0
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
        return len(self._unsent) <= MAX_UNSENT_BYTES and self._open_requests < MAX_OPEN_REQUESTS

    async def wait_for_change(self) -> None:
        """Return once a byte was written or a request has ended."""
        self._moved = anyio.Event()
        await self._moved.wait()

    def request_started(self) -> None:
        """Count a request as open."""
        self._open_requests += 1

    async def request_finished(self) -> None:
        """Count a request as closed: it has a response, or the client has cancelled it."""
        self._open_requests -= 1
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

    async def aclose(self) -> None:
        """Does nothing: the owner closes the descriptor."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
