"""A proxy in front of a database that cuts connections at random moments."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

LONGEST_CALM = 0.4
"""Seconds between two cuts, at most."""
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass
class CuttingProxy:
    """Passes connections on to a port of loopback, and cuts one of them repeatedly."""

    port: int
    to_port: int
    chance: random.Random
    cut: int = 0
    _open: dict[int, tuple[SocketStream, SocketStream]] = field(default_factory=dict)

    async def serve(self, near: SocketStream) -> None:
        with suppress(*_BROKEN):
            async with near, await anyio.connect_tcp("127.0.0.1", self.to_port) as far:
                self._open[id(near)] = near, far
                try:
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(_pump, near, far, tasks.cancel_scope)
                        tasks.start_soon(_pump, far, near, tasks.cancel_scope)
                finally:
                    del self._open[id(near)]

    async def keep_cutting(self) -> None:
        while True:
            await anyio.sleep(self.chance.uniform(0, LONGEST_CALM))
            if self._open:
                self.cut += 1
                for stream in self.chance.choice(list(self._open.values())):
                    raw = stream.extra(SocketAttribute.raw_socket)
                    with suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    await stream.aclose()


async def _pump(one: SocketStream, other: SocketStream, both: anyio.CancelScope) -> None:
    with suppress(*_BROKEN):
        async for piece in one:
            await other.send(piece)
    both.cancel()


@asynccontextmanager
async def cutting_proxy(to_port: int, chance: random.Random) -> AsyncIterator[CuttingProxy]:
    """A proxy on a free port of loopback. It cuts nothing until a test says so."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    proxy = CuttingProxy(port=port, to_port=to_port, chance=chance)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
