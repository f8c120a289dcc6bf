"""MCP over Streamable HTTP, for both eras of the protocol, as one ASGI application.

Nothing about a client is kept from one request to the next, so that any of several processes may
answer it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.mcp.http.allowed_hosts import HostCheckMiddleware
from mcp_enrichment.mcp.http.endpoint import Endpoint
from mcp_enrichment.mcp.http.request_body import MAX_BODY
from mcp_enrichment.mcp.http.webhook_route import PUSHES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from mcp.server.lowlevel import Server
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts
    from mcp_enrichment.mcp.http.auth.authenticator import Authenticator
    from mcp_enrichment.mcp.http.auth.resource_metadata import ProtectedResource
    from mcp_enrichment.mcp.http.endpoint import Limit
    from mcp_enrichment.mcp.http.webhook_route import WebhookRoute

MCP_PATH = "/mcp"
HEALTH = "/health"
_CHECKED_BEFORE = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The SDK's own rules match names by their beginning; ours stand in front of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HTTPConfig:
    """Where the server is, and who may call it."""

    names: AllowedHosts
    credentials: Authenticator
    limit: Limit
    wrong: Callable[[str], None] | None = None
    """Counts a wrong credential from an address. Raises `RateLimited` for too many."""
    public_url: str | None = None
    resource: ProtectedResource | None = None
    """Set where an issuer's tokens are accepted."""
    pushes: WebhookRoute | None = None
    """Set where a vendor tells the ends of lookups."""


@asynccontextmanager
async def http_app(server: Server[Any], site: HTTPConfig) -> AsyncIterator[ASGIApp]:
    """The application. Behind a proxy its paths may keep the public URL's prefix, or lose it."""
    # Answers that are under way are finished when the process is told to end, not cut off.
    AppStatus.enable_automatic_graceful_drain = False
    streaming, plain = (_manager(server, plain=plain) for plain in (False, True))
    endpoint = Endpoint(
        streaming=streaming.handle_request,
        plain=plain.handle_request,
        credentials=site.credentials,
        limit=site.limit,
        wrong=site.wrong,
    )
    prefixes = {"", urlsplit(site.public_url or "").path}
    routes = [route for prefix in prefixes for route in _routes(prefix, endpoint, site.pushes)]
    routes += site.resource.routes() if site.resource else ()
    async with streaming.run(), plain.run():
        yield _around(routes, site.names, exempt={prefix + HEALTH for prefix in prefixes})


def _manager(server: Server[Any], *, plain: bool) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        server,
        json_response=plain,
        stateless=True,
        security_settings=_CHECKED_BEFORE,
        max_request_body_size=MAX_BODY,
    )


def _routes(prefix: str, endpoint: Endpoint, pushes: WebhookRoute | None) -> Iterator[Route]:
    for path in (MCP_PATH, f"{MCP_PATH}/"):
        yield Route(prefix + path, endpoint)
    yield Route(prefix + HEALTH, _health)
    if pushes:
        yield Route(f"{prefix}{PUSHES}/{{token}}", pushes.take, methods=["POST"])


def _around(routes: list[Route], names: AllowedHosts, *, exempt: set[str]) -> Starlette:
    middleware = [
        Middleware(HostCheckMiddleware, names=names, exempt=exempt),
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(names.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"],
        ),
    ]
    app = Starlette(routes=routes, middleware=middleware)
    app.router.redirect_slashes = False  # a POST that is sent elsewhere may lose its credential
    return app


async def _health(_request: Request) -> Response:
    """The process runs. It says so under any name: a balancer asks by address."""
    return JSONResponse({"status": "ok"})
