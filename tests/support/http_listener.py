"""The service's app behind the real server's HTTP protocol, on a socket, in this process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import uvicorn
from uvicorn.server import ServerState

from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.h11_protocol import BoundedProtocol
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.running_service import RunningService


@asynccontextmanager
async def listening(it: RunningService) -> AsyncIterator[int]:
    """The port of loopback where it listens."""
    config = uvicorn.Config(create_app(it.service), log_config=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedProtocol(config, state, {}, loop), "127.0.0.1", 0
    )
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()


class Caller:
    """A connection on which a test sends any bytes, also incomplete requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, said: bytes) -> None:
        self._writer.write(said)
        await self._writer.drain()

    async def answer(self) -> bytes:
        """All bytes until the other side closes."""
        with anyio.fail_after(HANG):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def head(self) -> bytes:
        """The head of one answer."""
        with anyio.fail_after(HANG):
            return await self._reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()
