"""A proxy between a service and its receivers that adds faults of real networks."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator


class Fault(StrEnum):
    """The fault of one connection."""

    NONE = "none"
    LATE = "late"
    """In both directions, each piece arrives a little later."""
    RESET_BEFORE = "reset before"
    """Reset before the receiver has read anything."""
    RESET_AFTER = "reset after"
    """Reset after the receiver has answered: it has the callback, and the service does not know."""
    HALF_ANSWER = "half answer"
    """The first bytes of the answer, then the connection closes."""
    BLACK_HOLE = "black hole"
    """Accepted and read, but never answered."""


WEIGHTS = {
    Fault.NONE: 10,
    Fault.LATE: 3,
    Fault.RESET_BEFORE: 2,
    Fault.RESET_AFTER: 2,
    Fault.HALF_ANSWER: 2,
    Fault.BLACK_HOLE: 1,
}
LATENCY = 0.1
HALF = 9
"""Bytes of an answer: `HTTP/1.1 `, without the status."""


@dataclass
class FaultProxy:
    """Passes connections on to a port of loopback, each with a random fault or none."""

    url: str
    to_port: int
    chance: random.Random
    done: Counter[Fault] = field(default_factory=Counter)

    async def serve(self, near: SocketStream) -> None:
        (fault,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self.done[fault] += 1
        async with near:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await self._treat(near, fault)

    async def _treat(self, near: SocketStream, fault: Fault) -> None:
        if fault is Fault.RESET_BEFORE:
            _reset(near)
        elif fault is Fault.BLACK_HOLE:
            async for _ in near:
                pass
        else:
            async with await anyio.connect_tcp("127.0.0.1", self.to_port) as far:
                await self._pass_on(near, far, fault)

    async def _pass_on(self, near: SocketStream, far: SocketStream, fault: Fault) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pump, near, far, fault)
            answer = b""
            async for piece in far:
                answer += piece
                if fault is Fault.HALF_ANSWER:
                    await near.send(answer[:HALF])
                if fault in (Fault.HALF_ANSWER, Fault.RESET_AFTER):
                    break
                await self._later(fault)
                await near.send(piece)
            if fault is Fault.RESET_AFTER:
                _reset(near)
            tasks.cancel_scope.cancel()

    async def _pump(self, near: SocketStream, far: SocketStream, fault: Fault) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for piece in near:
                await self._later(fault)
                await far.send(piece)

    async def _later(self, fault: Fault) -> None:
        if fault is Fault.LATE:
            await anyio.sleep(self.chance.uniform(0, LATENCY))


def _reset(stream: SocketStream) -> None:
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def fault_proxy(to_port: int, chance: random.Random) -> AsyncIterator[FaultProxy]:
    """A proxy on a free port of loopback."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    proxy = FaultProxy(url=f"http://127.0.0.1:{port}", to_port=to_port, chance=chance)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
