"""What the calls that we make over HTTP have in common: which failures come before a byte has left,
how much of an answer is read, and how long a connection is waited for and kept."""

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
"""Bytes of an answer that are read at most; those that are expected are far below."""
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""How long a connection is kept: less than the 5 s after which servers close theirs, since a POST
on a connection that is just being closed cannot be told from one that has arrived."""

PRE_SEND_ERRORS: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Failures that come before a byte of the request has left."""
CLIENT_SETUP_ERRORS: tuple[type[Exception], ...] = (
    httpx.InvalidURL,
    ValueError,
    OSError,
    ImportError,
)
"""Failures to make a client: the URL is none, or a setting for proxies or certificates is wrong."""


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
    http: httpx.AsyncClient, method: str, path: str, *, seconds: float, **options: Any
) -> tuple[httpx.Response, bytes]:
    """The answer, waited for so many seconds once connected, and its body, which is `bounded`."""
    timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
    way, extensions = _SendProgress(), options.pop("extensions", {})
    extensions["trace"] = way.trace
    try:
        # httpx starts its clock anew with each byte that comes.
        with anyio.fail_after(CONNECT_SECONDS + seconds):
            async with http.stream(
                method, path, timeout=timeout, extensions=extensions, **options
            ) as response:
                return response, await read_limited(response, most=MAX_RESPONSE_BYTES)
    except Exception as error:
        if way.is_not_begun:
            raise httpx.ConnectError("the connection was not made") from error
        raise


class _SendProgress:
    """How far a request has come, as httpcore's `trace` extension tells it.

    Until the request itself begins to be sent there is only connecting, and where a proxy is asked
    for a tunnel, the `CONNECT` to it. An event that is not known here may be the sending.
    """

    def __init__(self) -> None:
        self._connecting = self._sending = False

    @property
    def is_not_begun(self) -> bool:
        """It is certain that no byte of the request has left."""
        return self._connecting and not self._sending

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        where, _, what = event.partition(".")
        if where in _CONNECTING:
            self._connecting = True
        elif what.endswith(".started") and not _is_of_tunnel(what, info):
            self._sending = True


_CONNECTING = ("connection", "proxy", "socks")
"""What httpcore calls the events that come before an HTTP request."""


def _is_of_tunnel(what: str, info: Mapping[str, Any]) -> bool:
    asked = info.get("request")
    return what.startswith("response_closed.") or (asked is not None and asked.method == b"CONNECT")


async def read_limited(response: httpx.Response, *, most: int) -> bytes:
    """The body of a stream; empty where it is longer than so many bytes."""
    if "," in response.headers.get("content-encoding", ""):
        return b""  # one coding packs a thousand to one, two a million to one
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            return b""  # no JSON document is empty: the caller takes it for unreadable
    return bytes(body)
