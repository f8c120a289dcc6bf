"""A SOCKS5 proxy (RFC 1928), as far as a client without a password needs one."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NO_PASSWORD = b"\x05\x00"
CONNECTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
IPV4, NAME = 1, 3


@dataclass
class SocksProxy:
    """Connects everything to one port of loopback, whatever host the client requested."""

    to_port: int
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def serve(self, near: SocketStream) -> None:
        async with near, await anyio.connect_tcp("127.0.0.1", self.to_port) as far:
            said = BufferedByteReceiveStream(near)
            _, methods = await said.receive_exactly(2)
            await said.receive_exactly(methods)
            await near.send(NO_PASSWORD)
            _, _, _, kind = await said.receive_exactly(4)
            length = 4 if kind == IPV4 else (await said.receive_exactly(1))[0]
            host = await said.receive_exactly(length)
            await said.receive_exactly(2)
            self.asked.append(host.decode() if kind == NAME else ".".join(map(str, host)))
            await near.send(CONNECTED)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_pump, near, far)
                await _pump(far, near)
                tasks.cancel_scope.cancel()


async def _pump(one: SocketStream, other: SocketStream) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for piece in one:
            await other.send(piece)


@asynccontextmanager
async def socks_proxy(to_port: int) -> AsyncIterator[SocksProxy]:
    """A proxy on a free port of loopback."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy = SocksProxy(to_port=to_port, port=listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
