"""MCP over Streamable HTTP as one ASGI application.

It is stateless: any of several processes can answer any request.
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
from mcp_enrichment.mcp.http.request import MAX_BODY
from mcp_enrichment.mcp.http.webhook_route import WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from mcp.server.lowlevel import Server
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts
    from mcp_enrichment.mcp.http.auth.authenticator import Authenticator
    from mcp_enrichment.mcp.http.auth.resource_metadata import ProtectedResource
    from mcp_enrichment.mcp.http.endpoint import PrincipalLimit
    from mcp_enrichment.mcp.http.webhook_route import WebhookRoute

MCP_PATH = "/mcp"
HEALTH = "/health"
_NO_HOST_CHECK = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The SDK compares only prefixes. `HostCheckMiddleware` runs before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HTTPConfig:
    """The configuration of the application."""

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


@asynccontextmanager
async def http_app(server: Server[Any], config: HTTPConfig) -> AsyncIterator[ASGIApp]:
    """The application. A proxy may remove the path of the public URL, or keep it."""
    # On shutdown, responses that have started are completed.
    AppStatus.enable_automatic_graceful_drain = False
    streaming, plain = (_manager(server, plain=plain) for plain in (False, True))
    endpoint = Endpoint(
        streaming=streaming.handle_request,
        plain=plain.handle_request,
        authenticator=config.authenticator,
        limit=config.limit,
        count_wrong=config.count_wrong,
    )
    prefixes = {"", urlsplit(config.public_url or "").path}
    routes = [route for prefix in prefixes for route in _routes(prefix, endpoint, config.webhooks)]
    routes += config.resource.routes() if config.resource else ()
    async with streaming.run(), plain.run():
        yield _with_middleware(
            routes, config.names, exempt={prefix + HEALTH for prefix in prefixes}
        )


def _manager(server: Server[Any], *, plain: bool) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        server,
        json_response=plain,
        stateless=True,
        security_settings=_NO_HOST_CHECK,
        max_request_body_size=MAX_BODY,
    )


def _routes(prefix: str, endpoint: Endpoint, webhooks: WebhookRoute | None) -> Iterator[Route]:
    for path in (MCP_PATH, f"{MCP_PATH}/"):
        yield Route(prefix + path, endpoint)
    yield Route(prefix + HEALTH, _health)
    if webhooks:
        yield Route(f"{prefix}{WEBHOOKS}/{{token}}", webhooks.take, methods=["POST"])


def _with_middleware(routes: list[Route], names: AllowedHosts, *, exempt: set[str]) -> Starlette:
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
    app.router.redirect_slashes = False  # a redirected POST may lose its credential
    return app


async def _health(_request: Request) -> Response:
    """The process runs. Any Host is allowed: a load balancer sends its IP address."""
    return JSONResponse({"status": "ok"})
