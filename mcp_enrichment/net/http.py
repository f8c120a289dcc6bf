"""Outgoing HTTP: clients, time limits, limited responses, and errors before a byte was sent."""

from __future__ import annotations

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.net.proxies import proxy_for, trusted_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = f"{PROGRAM}/{__version__}"
MAX_RESPONSE_BYTES = 1024 * 1024
"""The limit of a response body. Expected ones are far smaller."""
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Seconds for which an idle connection is kept. Servers close theirs after 5 s, and after a POST on
a closing connection it is unknown whether it arrived."""

PRE_SEND_ERRORS: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Errors from before a byte of the request was sent."""
CLIENT_SETUP_ERRORS: tuple[type[Exception], ...] = (
    httpx.InvalidURL,
    ValueError,
    OSError,
    ImportError,
)
"""Errors of creating a client: an invalid URL, or an invalid proxy or certificate setting."""


def http_client(
    url: str, headers: Mapping[str, str], transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """A client of one server. Raises one of `CLIENT_SETUP_ERRORS`: `InvalidNetworkSetting` for a
    wrong proxy or certificate variable."""
    is_remote = transport is None
    return httpx.AsyncClient(
        base_url=url,
        proxy=proxy_for(url) if is_remote else None,
        verify=_certificates(url) if is_remote else True,
        trust_env=False,  # what of it is meant for us has just been read
        headers={"user-agent": USER_AGENT, **headers},
        # Nothing that we ask for needs cookies, and one that is not ASCII would break every call.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        transport=transport,
        limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
        follow_redirects=False,
    )


def _certificates(url: str) -> ssl.SSLContext | bool:
    """The certificates to check the server's by; none for plain HTTP, as loading them takes 20 ms
    of every start."""
    is_plain = url.lower().startswith("http://")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else trusted_certificates()


async def exchange(
    http: httpx.AsyncClient, method: str, url: httpx.URL | str, *, seconds: float, **options: Any
) -> tuple[httpx.Response, bytes]:
    """Send a request. The response and its limited body may take so many seconds once connected."""
    timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
    way, extensions = _SendProgress(), options.pop("extensions", {})
    extensions["trace"] = way.trace
    try:
        # The time limit of httpx restarts with each byte.
        with anyio.fail_after(CONNECT_SECONDS + seconds):
            async with http.stream(
                method, url, timeout=timeout, extensions=extensions, **options
            ) as response:
                return response, await read_limited(response, most=MAX_RESPONSE_BYTES)
    except Exception as error:
        if way.is_unsent:
            raise httpx.ConnectError("the connection was not made") from error
        raise


class _SendProgress:
    """The progress of a request, by the events of httpcore's `trace` extension.

    Before the request there are events of connecting and, with a proxy, of its `CONNECT` tunnel. An
    unknown event counts as sending.
    """

    def __init__(self) -> None:
        self._connecting = self._sending = False

    @property
    def is_unsent(self) -> bool:
        """Whether certainly no byte of the request was sent."""
        return self._connecting and not self._sending

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        where, _, what = event.partition(".")
        if where in _CONNECTING:
            self._connecting = True
        elif what.endswith(".started") and not _is_of_tunnel(what, info):
            self._sending = True


_CONNECTING = ("connection", "proxy", "socks")
"""Prefixes of httpcore's events before an HTTP request."""


def _is_of_tunnel(what: str, info: Mapping[str, Any]) -> bool:
    request = info.get("request")
    return what.startswith("response_closed.") or (
        request is not None and request.method == b"CONNECT"
    )


async def read_limited(response: httpx.Response, *, most: int) -> bytes:
    """Read the body of a stream; empty if it is longer than so many bytes."""
    if "," in response.headers.get("content-encoding", ""):
        return b""  # two codings may compress a million to one
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            return b""  # an empty body is not JSON, so the caller treats it as unreadable
    return bytes(body)
