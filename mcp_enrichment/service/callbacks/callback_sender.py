"""Posts a callback: one attempt with a time limit, only to addresses that were checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpcore
import httpx
from anyio.abc import ByteReceiveStream
from anyio.streams.stapled import StapledByteStream
from anyio.streams.tls import TLSStream

from mcp_enrichment.contract.http import parse_retry_after
from mcp_enrichment.net.http import USER_AGENT
from mcp_enrichment.service.callbacks.callback_table import AttemptOutcome, DeliveryResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping, Sequence

    from anyio.abc import ByteStream

    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy


ATTEMPT_SECONDS = 10.0
"""The timeout of an attempt: name, connection, TLS, body and status line."""
_SUCCESS = range(200, 300)
GONE = 410
"""The receiver wants no further attempt (Standard Webhooks, "Disabling endpoints")."""
_HEADERS = {
    "content-type": "application/json",
    "user-agent": USER_AGENT,
    "connection": "close",
}
MAX_READ = 64 * 1024
"""The most bytes that are read of one connection: TLS, 1xx responses, headers and bodies."""
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
CONNECT_SECONDS = 3.0
"""The timeout of every address but the last one; then the next one is tried."""


class CallbackSender:
    """Follows no redirect, uses no proxy and reads no body: only the status counts."""

    def __init__(self, policy: CallbackURLPolicy) -> None:
        self._network = PinnedNetwork(policy)
        self._making_context = anyio.Lock()
        self._context: ssl.SSLContext | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
        """Make one attempt. No response or failure of the receiver raises."""
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                return await self._post(httpx.URL(url), body, headers)
        except AddressRefused:
            return DeliveryResult(outcome=AttemptOutcome.ADDRESS_REFUSED, may_try_again=False)
        except (TimeoutError, httpcore.TimeoutException):
            return DeliveryResult(outcome=AttemptOutcome.TIMED_OUT)
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, httpx.InvalidURL):
            return DeliveryResult(outcome=AttemptOutcome.UNREACHABLE)

    async def _post(self, url: httpx.URL, body: bytes, signed: Mapping[str, str]) -> DeliveryResult:
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("host", url.netloc),
            *_HEADERS.items(),
            *signed.items(),
        ]
        context = await self._ssl_context() if url.scheme == "https" else None
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=context, network_backend=self._network
            ) as pool,
            pool.stream("POST", target, headers=headers, content=body) as response,
        ):
            return _result(response)

    async def _ssl_context(self) -> ssl.SSLContext:
        # Reading all certificates takes 50 ms: it is done once, when needed, in a thread.
        async with self._making_context:
            if self._context is None:
                self._context = await anyio.to_thread.run_sync(httpcore.default_ssl_context)
            return self._context


def _result(response: httpcore.Response) -> DeliveryResult:
    if response.status in _SUCCESS:
        return DeliveryResult(outcome=AttemptOutcome.DELIVERED, http_status=response.status)
    return DeliveryResult(
        outcome=AttemptOutcome.HTTP_ERROR,
        http_status=response.status,
        may_try_again=response.status != GONE,
        retry_after=parse_retry_after(httpx.Headers(response.headers).get("retry-after")),
    )


@dataclass(eq=False, slots=True)
class ReadLimitedStream(ByteReceiveStream):
    """A stream that fails when more than `MAX_READ` bytes are read.

    It is below TLS, where a receiver may send without end, too.
    """

    stream: ByteStream
    left: int = MAX_READ
    """Bytes that may still be read."""

    async def receive(self, max_bytes: int = MAX_READ) -> bytes:
        if not self.left:
            raise anyio.BrokenResourceError
        received = await self.stream.receive(min(max_bytes, self.left))
        self.left -= len(received)
        return received

    async def aclose(self) -> None:
        await self.stream.aclose()


@dataclass(eq=False, slots=True)
class Connection(httpcore.AsyncNetworkStream):
    """A stream for httpcore. The time limit of the whole attempt is outside."""

    stream: ByteStream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        try:
            return await self.stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except _BROKEN as error:
            raise httpcore.ReadError from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        try:
            await self.stream.send(buffer)
        except _BROKEN as error:
            raise httpcore.WriteError from error

    async def aclose(self) -> None:
        await self.stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> Connection:
        try:
            encrypted = await TLSStream.wrap(
                self.stream,
                ssl_context=ssl_context,
                hostname=server_hostname,
                standard_compatible=False,
            )
        except BaseException as error:
            await anyio.aclose_forcefully(self.stream)
            if isinstance(error, (*_BROKEN, anyio.EndOfStream)):
                raise httpcore.ConnectError from error
            raise
        return Connection(encrypted)


class AddressRefused(Exception):
    """The name resolves to an address that callbacks may not connect to."""


@dataclass(eq=False, slots=True)
class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, and connects to the addresses that were checked."""

    policy: CallbackURLPolicy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (it is bounded outside)
        local_address: str | None = None,  # noqa: ARG002 (none is asked for)
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 (none are asked for)
    ) -> Connection:
        *others, last = await self._resolve_and_check(host, port)
        for address in others:
            with anyio.move_on_after(CONNECT_SECONDS):
                try:
                    return await _connect(address, port)
                except OSError:
                    continue
        return await _connect(last, port)

    async def _resolve_and_check(self, host: str, port: int) -> Sequence[str]:
        found = await _resolve(host, port)
        addresses = [str(entry[4][0]).split("%")[0] for entry in found]
        # One private address among public ones is rejected, too.
        if not all(self.policy.allows(ipaddress.ip_address(a)) for a in addresses):
            raise AddressRefused
        return list(dict.fromkeys(addresses))


async def _connect(address: str, port: int) -> Connection:
    stream = await anyio.connect_tcp(address, port)
    return Connection(StapledByteStream(stream, ReadLimitedStream(stream)))


async def _resolve(host: str, port: int) -> Sequence[Any]:
    """The addresses of the name, in the system's order. Raises `OSError`.

    Each look-up has a daemon thread of its own: a name server that hangs delays neither other
    look-ups, as in a pool, nor the end of the process.
    """
    found: Future[Sequence[Any]] = Future()
    Thread(target=_resolve_into, args=(found, host, port), daemon=True).start()
    return await asyncio.wrap_future(found)


def _resolve_into(found: Future[Sequence[Any]], host: str, port: int) -> None:
    if not found.set_running_or_notify_cancel():
        return
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        found.set_exception(error)
    except UnicodeError:  # it is not a host name
        found.set_exception(OSError("not a host name"))
