"""MCP over Streamable HTTP as one ASGI application.

It is stateless: any of several processes can answer any request. The endpoint `/mcp` checks the
credential, the rate limit and the body before the SDK gets the request.
"""

from __future__ import annotations

import math
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.errors import RateLimited
from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.http.allowed_hosts import HostCheckMiddleware
from mcp_enrichment.mcp.http.auth.principal import AuthorizedRequest, Scope, current_request
from mcp_enrichment.mcp.http.request import (
    MAX_BODY,
    CalledTool,
    HTTPError,
    accepts_events,
    normalize_headers,
    parse_called_tool,
    read_body,
    replay_body,
)
from mcp_enrichment.mcp.http.webhook_route import WEBHOOKS
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from mcp.server.lowlevel import Server
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as Connection

    from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts
    from mcp_enrichment.mcp.http.auth.authenticator import Authenticator, ProtectedResource
    from mcp_enrichment.mcp.http.auth.principal import Principal
    from mcp_enrichment.mcp.http.discovery import Discovery
    from mcp_enrichment.mcp.http.webhook_route import WebhookRoute

MCP_PATH = "/mcp"
SESSION_ID = "Mcp-Session-Id"
HEALTH = "/health"
SPENDING = frozenset(tool.name for tool in TOOLS if tool.spends)
TOO_MANY_WRONG = "Too many wrong credentials from this address. Wait as Retry-After says."
TOO_MANY = "Too many requests with this credential. Wait as Retry-After says."
_NO_HOST_CHECK = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The SDK compares only prefixes. `HostCheckMiddleware` runs before it."""


class PrincipalLimit(Protocol):
    def take(self, caller: str) -> None:
        """Count one request. Raises `RateLimited` if none is left."""

    def headers(self, caller: str) -> Mapping[str, str]:
        """The response headers with what is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HTTPConfig:
    names: AllowedHosts
    authenticator: Authenticator
    limit: PrincipalLimit
    count_wrong: Callable[[str], None] | None = None
    """Counts a wrong credential from an IP address. Raises `RateLimited`."""
    public_url: str | None = None
    resource: ProtectedResource | None = None
    """Set if tokens of an issuer are accepted."""
    webhooks: WebhookRoute | None = None
    """Set if a vendor sends webhooks."""
    discovery: Discovery | None = None
    """Set if there is a public URL."""


@asynccontextmanager
async def http_app(server: Server[Any], config: HTTPConfig) -> AsyncIterator[ASGIApp]:
    """The application. A proxy may remove the path of the public URL, or keep it."""
    # On shutdown, responses that have started are completed.
    AppStatus.enable_automatic_graceful_drain = False
    streaming, plain = (_manager(server, plain=plain) for plain in (False, True))
    endpoint = _Endpoint(config, streaming.handle_request, plain.handle_request)
    prefixes = {"", urlsplit(config.public_url or "").path}
    routes = [route for prefix in prefixes for route in _routes(prefix, endpoint, config)]
    routes += config.resource.routes() if config.resource else ()
    async with streaming.run(), plain.run():
        public = {HEALTH, *(config.discovery.paths if config.discovery else ())}
        exempt = {prefix + path for prefix in prefixes for path in public}
        yield _with_middleware(routes, config.names, exempt=exempt)


def _manager(server: Server[Any], *, plain: bool) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        server,
        json_response=plain,
        stateless=True,
        security_settings=_NO_HOST_CHECK,
        max_request_body_size=MAX_BODY,
    )


def _routes(prefix: str, endpoint: _Endpoint, config: HTTPConfig) -> Iterator[Route]:
    for path in (MCP_PATH, f"{MCP_PATH}/"):
        yield Route(prefix + path, endpoint)
    yield Route(prefix + HEALTH, _health)
    if config.webhooks:
        yield Route(f"{prefix}{WEBHOOKS}/{{token}}", config.webhooks.take, methods=["POST"])
    if config.discovery:
        yield from config.discovery.routes(prefix)


def _with_middleware(routes: list[Route], names: AllowedHosts, *, exempt: set[str]) -> Starlette:
    middleware = [
        Middleware(HostCheckMiddleware, names=names, exempt=exempt),
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(names.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=[
                *("WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"),
                SESSION_ID,
            ],
        ),
    ]
    app = Starlette(
        routes=routes, middleware=middleware, exception_handlers={HTTPError: _on_http_error}
    )
    app.router.redirect_slashes = False  # a redirected POST may lose its credential
    return app


async def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPError)  # noqa: S101 (it is registered for this class)
    return error.response()


async def _health(_request: Request) -> Response:
    """The process runs. Any Host is allowed: a load balancer sends its IP address."""
    return JSONResponse({"status": "ok"})


@dataclass(frozen=True, slots=True)
class _Endpoint:
    config: HTTPConfig
    streaming: ASGIApp
    """The SDK with streams: progress, and cancellation when the client disconnects."""
    plain: ASGIApp
    """The SDK without streams, for quick tools: two thirds of the cost."""

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        try:
            principal = await self._authenticate(scope)
            send = _with_headers(send, lambda: self.config.limit.headers(principal.name))
            request, tool, body = await self._authorize(scope, receive, principal)
        except HTTPError as error:
            await error.response()(scope, receive, send)
        else:
            if tool.declares_app:
                # The only trace of a handshake that other processes can read, too.
                session = {SESSION_ID: apps.SESSION + secrets.token_hex(16)}
                send = _with_headers(send, lambda: session)
            current_request.set(request)  # never reset: each request has its own context
            scope = normalize_headers(scope)
            # A client that accepts no stream gets the response without progress.
            is_plain = tool.is_quick or not accepts_events(scope)
            mcp = self.plain if is_plain else self.streaming
            await mcp(scope, replay_body(body, receive), send)

    async def _authenticate(self, scope: Connection) -> Principal:
        """Raises `HTTPError`. A request without a credential is not counted as wrong: clients send
        one to find the issuer."""
        headers = Headers(scope=scope)
        try:
            return await self.config.authenticator.authenticate(headers)
        except HTTPError as error:
            is_wrong = error.status == HTTPStatus.UNAUTHORIZED and "authorization" in headers
            if is_wrong and self.config.count_wrong and scope["client"]:
                try:
                    self.config.count_wrong(scope["client"][0])
                except RateLimited as limited:
                    raise _rate_limited(TOO_MANY_WRONG, limited) from None
            raise

    async def _authorize(
        self, scope: Connection, receive: Receive, principal: Principal
    ) -> tuple[AuthorizedRequest, CalledTool, bytes]:
        if scope["method"] != "POST":
            # Without sessions there is no stream to GET and nothing to DELETE.
            raise HTTPError(405, "Send a POST.", headers={"Allow": "POST"})
        over_limit = self._count(principal)
        body = await read_body(receive)
        tool, body = parse_called_tool(body)
        if over_limit and tool.name is None:
            raise _rate_limited(TOO_MANY, over_limit)
        # A 403 lets the client ask its user for more scopes. Each call checks them again.
        needed = Scope.SPEND if tool.name in SPENDING else Scope.READ
        if not principal.may(needed):
            raise self.config.authenticator.challenges.missing(needed)
        reauthenticate = partial(self.config.authenticator.authenticate, Headers(scope=scope))
        request = AuthorizedRequest(
            principal=principal, reauthenticate=reauthenticate, over_limit=over_limit
        )
        return request, tool, body

    def _count(self, principal: Principal) -> RateLimited | None:
        try:
            self.config.limit.take(principal.name)
        except RateLimited as error:
            return error
        return None


def _rate_limited(sentence: str, error: RateLimited) -> HTTPError:
    wait = math.ceil(error.retry_after or 1)
    return HTTPError(429, sentence, headers={"Retry-After": str(wait)})


def _with_headers(send: Send, headers: Callable[[], Mapping[str, str]]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers())
        await send(message)

    return send_with_headers
