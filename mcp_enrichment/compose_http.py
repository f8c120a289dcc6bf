"""The composition root of MCP over HTTP: the face for many callers, over whichever service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mcp_enrichment.compose import connect
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.mcp.http.app import http_app
from mcp_enrichment.mcp.http.names import is_loopback, names_of
from mcp_enrichment.mcp.server import create_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.settings import Settings

CLOSED = (
    "MCP over HTTP is served without a credential only where ENRICHMENT_HTTP_OPEN allows it, on "
    "loopback."
)
OPEN_TO_OTHERS = (
    "ENRICHMENT_HTTP_OPEN is for this machine alone: leave it unset, or listen on 127.0.0.1 "
    "without a public URL or further hosts."
)


@asynccontextmanager
async def served_mcp(
    settings: Settings, host: str, port: int
) -> AsyncIterator[tuple[ASGIApp, Callable[[], None]]]:
    """MCP for who listens there, and what lets all waits go.

    Raises `InvalidArguments` for settings that do not go together.
    """
    _check_open(settings, host)
    names = names_of(
        host,
        port,
        public_url=settings.public_root,
        hosts=settings.http_hosts,
        origins=settings.http_origins,
    )
    async with connect(settings) as client:

        async def the_client() -> EnrichmentClient:
            return client

        server = create_server(the_client)
        async with http_app(server, names=names, public_url=settings.public_root) as app:
            yield app, client.let_go


def _check_open(settings: Settings, host: str) -> None:
    """Without a credential only this machine may be served. Raises `InvalidArguments`."""
    if not settings.http_open:
        raise InvalidArguments(CLOSED)
    public = settings.public_url.host if settings.public_url else None
    names = [host, *(name.rpartition(":")[0] for name in settings.http_hosts)]
    if not all(is_loopback(name) for name in [*names, *([public] if public else [])]):
        raise InvalidArguments(OPEN_TO_OTHERS)
