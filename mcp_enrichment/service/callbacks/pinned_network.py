"""Connecting to a receiver of callbacks: to an address that was judged and no other."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy

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


CONNECT_SECONDS = 3.0
"""For an address that is not the last one of its name: the next one is tried then."""


class AddressRefused(Exception):
    """The name resolves to an address that callbacks may not reach."""


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once and connects to that very answer: it cannot change in between."""

    def __init__(self, rules: CallbackURLPolicy) -> None:
        self._rules = rules

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (it is bounded outside)
        local_address: str | None = None,  # noqa: ARG002 (none is asked for)
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 (none are asked for)
    ) -> Connection:
        *others, last = await self._checked(host, port)
        for address in others:
            with anyio.move_on_after(CONNECT_SECONDS):
                try:
                    return await _connected(address, port)
                except OSError:
                    continue
        return await _connected(last, port)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        found = await _resolved(host, port)
        addresses = [str(entry[4][0]).split("%")[0] for entry in found]
        # One private address among public ones is refused too: which one is used is chance.
        if not all(self._rules.allows(ipaddress.ip_address(a)) for a in addresses):
            raise AddressRefused
        return list(dict.fromkeys(addresses))


async def _connected(address: str, port: int) -> Connection:
    return Connection(ReadLimitedStream(await anyio.connect_tcp(address, port)))


async def _resolved(host: str, port: int) -> Sequence[Any]:
    """What the name resolves to, first those that the system prefers. Raises `OSError`.

    Each look-up has a thread of its own: one whose name server hangs holds up no other, as it would
    in a pool, and as a daemon it does not hold up the end of the process either. There are no more
    of them than callbacks on their way in half a minute, after which a resolver gives up.
    """
    found: Future[Sequence[Any]] = Future()
    Thread(target=_resolve, args=(found, host, port), daemon=True).start()
    return await asyncio.wrap_future(found)


def _resolve(found: Future[Sequence[Any]], host: str, port: int) -> None:
    if not found.set_running_or_notify_cancel():
        return
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        found.set_exception(error)
    except UnicodeError:  # it is no host name at all
        found.set_exception(OSError("not a host name"))
