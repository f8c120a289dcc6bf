"""Posting a callback: one bounded try, to an address that was judged and no other."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
import httpx

from mcp_enrichment import __version__
from mcp_enrichment.contract.retry_after import retry_after
from mcp_enrichment.service.domain.service import Sent
from mcp_enrichment.service.store.callbacks import DELIVERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcp_enrichment.service.domain.addresses import CallbackRules

TRY_SECONDS = 10.0
"""The whole try: name, connection, TLS, body and status line."""
_SUCCESS = range(200, 300)
GONE = 410
"""The receiver wants no more of this (Standard Webhooks, "Disabling endpoints")."""
_HEADERS = {
    "content-type": "application/json",
    "user-agent": f"mcp-enrichment/{__version__}",
    "connection": "close",
}


class AddressRefused(Exception):
    """The name resolves to an address that callbacks may not reach."""


class CallbackSender:
    """Follows no redirect, asks no proxy and reads no body: only the status counts."""

    def __init__(self, rules: CallbackRules) -> None:
        self._network = _JudgedNetwork(rules)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        try:
            with anyio.fail_after(TRY_SECONDS):
                return await self._post(httpx.URL(url), body, headers)
        except AddressRefused:
            return Sent(outcome="address-refused", may_try_again=False)
        except (TimeoutError, httpcore.TimeoutException):
            return Sent(outcome="timed-out")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, httpx.InvalidURL):
            return Sent(outcome="unreachable")

    async def _post(self, url: httpx.URL, body: bytes, signed: Mapping[str, str]) -> Sent:
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("host", url.netloc),
            *_HEADERS.items(),
            *signed.items(),
        ]
        async with (
            httpcore.AsyncConnectionPool(network_backend=self._network) as pool,
            pool.stream("POST", target, headers=headers, content=body) as response,
        ):
            return _judged(response)


def _judged(response: httpcore.Response) -> Sent:
    if response.status in _SUCCESS:
        return Sent(outcome=DELIVERED, http_status=response.status)
    asked = dict(response.headers).get(b"Retry-After") or dict(response.headers).get(b"retry-after")
    return Sent(
        outcome="http-error",
        http_status=response.status,
        may_try_again=response.status != GONE,
        retry_after=retry_after(asked.decode("latin-1") if asked else None),
    )


class _JudgedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once and connects to that very answer: it cannot change in between."""

    def __init__(self, rules: CallbackRules) -> None:
        self._rules = rules
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await self._judged(host, port)
        return await self._sockets.connect_tcp(
            address, port, timeout, local_address, socket_options
        )

    async def _judged(self, host: str, port: int) -> str:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]).split("%")[0] for entry in found]
        # One private address among public ones is refused too: which one is used is chance.
        if not all(self._rules.allows(ipaddress.ip_address(a)) for a in addresses):
            raise AddressRefused
        return addresses[0]
