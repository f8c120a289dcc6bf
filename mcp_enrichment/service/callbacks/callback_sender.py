"""Posts a callback: one attempt with a time limit, only to an address that was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpcore
import httpx

from mcp_enrichment.contract.http import parse_retry_after
from mcp_enrichment.net.http import USER_AGENT
from mcp_enrichment.service.callbacks.callback_table import AttemptOutcome
from mcp_enrichment.service.callbacks.pinned_network import AddressRefused, PinnedNetwork
from mcp_enrichment.service.context import DeliveryResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

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


class CallbackSender:
    """Follows no redirect, uses no proxy and reads no body: only the status counts."""

    def __init__(self, policy: CallbackURLPolicy) -> None:
        self._network = PinnedNetwork(policy)
        self._making_context = anyio.Lock()
        self._context: ssl.SSLContext | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
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
    retry_header = {name.lower(): value for name, value in response.headers}.get(b"retry-after")
    return DeliveryResult(
        outcome=AttemptOutcome.HTTP_ERROR,
        http_status=response.status,
        may_try_again=response.status != GONE,
        retry_after=parse_retry_after(retry_header.decode("latin-1") if retry_header else None),
    )
