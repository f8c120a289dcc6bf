"""A connection to a receiver of callbacks: so many bytes are read of it, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpcore
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

MAX_READ = 64 * 1024
"""Bytes that are read of one connection, whatever they are: TLS, 1xx answers, heads and bodies."""
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class ReadLimitedStream(ByteStream):
    """A stream that breaks where more than `MAX_READ` bytes would be read of it.

    It stands below TLS, since a receiver may send without end there too.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._left = MAX_READ

    async def receive(self, max_bytes: int = MAX_READ) -> bytes:
        if not self._left:
            raise anyio.BrokenResourceError
        received = await self._stream.receive(min(max_bytes, self._left))
        self._left -= len(received)
        return received

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


class Connection(httpcore.AsyncNetworkStream):
    """A stream as httpcore uses it. Time is bounded outside, for the whole try: none is here."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        try:
            return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except _BROKEN as error:
            raise httpcore.ReadError from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        try:
            await self._stream.send(buffer)
        except _BROKEN as error:
            raise httpcore.WriteError from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> Connection:
        try:
            encrypted = await TLSStream.wrap(
                self._stream,
                ssl_context=ssl_context,
                hostname=server_hostname,
                standard_compatible=False,
            )
        except BaseException as error:
            await anyio.aclose_forcefully(self._stream)
            if isinstance(error, (*_BROKEN, anyio.EndOfStream)):
                raise httpcore.ConnectError from error
            raise
        return Connection(encrypted)
