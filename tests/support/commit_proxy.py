"""A proxy in front of a Postgres that cuts a connection at the COMMIT of a write: before the server
receives it, or after the server has executed it. The client cannot tell which."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass
class CommitProxy:
    """Passes connections on to a port of loopback, and cuts them at the next commits."""

    port: int
    to_port: int
    arrives: bool = True
    """Whether a COMMIT that is cut off reaches the server."""
    cuts: int = 0
    """The number of next commits of writes at which the connection is cut."""

    async def serve(self, near: SocketStream) -> None:
        with suppress(*_BROKEN):
            async with near, await anyio.connect_tcp("127.0.0.1", self.to_port) as far:
                await _Passed(self, near, far).all()


@dataclass
class _Passed:
    """One connection."""

    proxy: CommitProxy
    near: SocketStream
    far: SocketStream
    has_written: bool = False
    """In the transaction that is open."""
    is_cut_off: bool = False

    async def all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for pump in (self._questions, self._answers):
                tasks.start_soon(self._until_broken, pump, tasks.cancel_scope)

    async def _until_broken(
        self, pump: Callable[[], Awaitable[None]], both: anyio.CancelScope
    ) -> None:
        with suppress(*_BROKEN):
            await pump()
        both.cancel()

    async def _questions(self) -> None:
        async for piece in self.near:
            self.has_written |= b"INSERT INTO" in piece or b"UPDATE " in piece
            if b"COMMIT" in piece and self.has_written and self.proxy.cuts:
                self.proxy.cuts -= 1
                self.is_cut_off = True
                if not self.proxy.arrives:
                    return
            self.has_written &= b"COMMIT" not in piece
            await self.far.send(piece)

    async def _answers(self) -> None:
        async for piece in self.far:
            if self.is_cut_off:
                return  # it is executed, and the client gets no answer
            await self.near.send(piece)


@asynccontextmanager
async def commit_proxy(to_port: int) -> AsyncIterator[CommitProxy]:
    """A proxy on a free port of loopback. It cuts nothing until a test says so."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    proxy = CommitProxy(port=port, to_port=to_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
