"""The allowed values of `Host` and `Origin`. They are compared exactly, without patterns."""

from __future__ import annotations

import ipaddress
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.http import DEFAULT_PORTS, is_loopback
from mcp_enrichment.mcp.http.request import HTTPError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

_LOCAL = ("127.0.0.1", "localhost", "[::1]")
NO_NAME = Explanation(
    happened="A server that listens on every address is to know its names.",
    money=NOTHING_DONE,
    for_person="Set ENRICHMENT_PUBLIC_URL or ENRICHMENT_HTTP_HOSTS.",
)
HOST_REFUSED = (
    "A request was refused, as its Host is none of: %s. If it was meant for this server, add what "
    "its URL has as host and port to ENRICHMENT_HTTP_HOSTS."
)
ORIGIN_REFUSED = (
    "A request was refused, as the page that sent it is of another origin. If that page may call "
    "this server, add its origin to ENRICHMENT_HTTP_ORIGINS."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowedHosts:
    """The allowed values, in lower case."""

    hosts: frozenset[str]
    origins: frozenset[str]

    def check(self, headers: Headers) -> None:
        """Raise `HTTPError` for another `Host` or `Origin`.

        This prevents DNS rebinding: a web page could otherwise reach a local server.
        """
        if _normalize(headers.get("host", "")) not in self.hosts:
            logger.warning(HOST_REFUSED, ", ".join(sorted(self.hosts)))
            raise HTTPError(421, "This server is not known by that name.")
        origins = headers.getlist("origin")
        if not all(origin.lower() in self.origins for origin in origins):
            logger.warning(ORIGIN_REFUSED)
            raise HTTPError(403, "Pages of that origin may not call this server.")


def allowed_hosts(
    host: str,
    port: int,
    *,
    name: str | None = None,
    public_url: str | None = None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
) -> AllowedHosts:
    """The hosts and origins of a server at this address, with those that the operator adds.

    `name`: the host as the operator has set it. Raises `InvalidArguments` if there is no host.
    """
    own = {f"{name}:{port}" for name in _LOCAL if is_loopback(host)}
    if not is_loopback(host) and not ipaddress.ip_address(host).is_unspecified:
        own = {_with_port(host, port)}
    if name and _is_name(name):
        own.add(_with_port(name, port))
    if not own and not public_url and not hosts:
        raise InvalidArguments(NO_NAME)
    own |= {one.removesuffix(":80") for one in own}  # clients leave out the default port
    own_origins = {f"http://{one}" for one in own}
    if public_url:
        scheme, netloc, *_ = urlsplit(public_url)
        own |= {netloc, f"{netloc}:{DEFAULT_PORTS[scheme]}"}
        own_origins.add(f"{scheme}://{netloc}")
    return AllowedHosts(
        hosts=frozenset(map(_normalize, own | set(hosts))),
        origins=frozenset(map(str.lower, own_origins | set(origins))),
    )


class HostCheckMiddleware:
    def __init__(self, app: ASGIApp, names: AllowedHosts, exempt: Collection[str]) -> None:
        """`exempt`: the paths that allow any host."""
        self._app, self._names, self._exempt = app, names, exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http" and scope["path"] not in self._exempt:
                self._names.check(Headers(scope=scope))
        except HTTPError as error:
            await error.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _normalize(host: str) -> str:
    """A host and port in normal form: lower case, no trailing dot, short IPv6."""
    address, bracket, port = host.lower().rpartition("]")
    if bracket:
        with suppress(ValueError):
            return f"[{ipaddress.IPv6Address(address.removeprefix('['))}]{port}"
        return host
    name, colon, port = host.lower().partition(":")
    return f"{name.removesuffix('.')}{colon}{port}"
