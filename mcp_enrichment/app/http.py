"""The composition root of MCP over HTTP: the face for many callers, over whichever service."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.app.accounts import embedded_accounts, remote_accounts
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.mcp.http.allowed_hosts import allowed_hosts
from mcp_enrichment.mcp.http.app import MCP_PATH, HTTPConfig, http_app
from mcp_enrichment.mcp.http.auth.access_tokens import TokenVerifier
from mcp_enrichment.mcp.http.auth.authenticator import Authenticator, Challenges
from mcp_enrichment.mcp.http.auth.jwks import JWKSCache
from mcp_enrichment.mcp.http.auth.principal import Scope, current_request
from mcp_enrichment.mcp.http.auth.resource_metadata import ProtectedResource
from mcp_enrichment.mcp.http.http_error import HTTPError
from mcp_enrichment.mcp.http.webhook_route import WebhookRoute
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.mcp.subscriptions import StreamLimits
from mcp_enrichment.service.http.rate_limit import RateLimit, peer_of
from mcp_enrichment.settings.types import Confirm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from mcp_enrichment.app.accounts import Accounts
    from mcp_enrichment.client.protocols import EnrichmentBackend
    from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.settings import Settings

OPEN_BEYOND_LOOPBACK = Explanation(
    happened="ENRICHMENT_HTTP_OPEN is for this machine alone.",
    money=NOTHING_DONE,
    for_person="Leave it unset, or listen on 127.0.0.1 without a public URL or further hosts.",
)
MISSING_PUBLIC_URL = Explanation(
    happened="ENRICHMENT_OAUTH_ISSUER is set without ENRICHMENT_PUBLIC_URL, and a token is made "
    "for a server of that URL.",
    money=NOTHING_DONE,
    for_person="Set ENRICHMENT_PUBLIC_URL.",
)
SUBSCRIPTION_SECONDS = 600.0
"""Seconds after which whoever listens has to ask anew, and is checked anew."""


@asynccontextmanager
async def mcp_http_app(
    settings: Settings, host: str, port: int, name: str | None = None
) -> AsyncIterator[tuple[ASGIApp, GracefulShutdown]]:
    """MCP for who listens there, under this name too, and its end, which lets all waits go.

    Raises `InvalidArguments` for settings that do not go together, and `StorageFailed`.
    """
    _check_settings(settings, host)
    names = allowed_hosts(
        host,
        port,
        name=name,
        public_url=settings.public_root,
        hosts=settings.http_hosts,
        origins=settings.http_origins,
    )
    opening = embedded_accounts if settings.is_embedded else remote_accounts
    async with opening(settings) as accounts:
        confirm = settings.confirm is Confirm.ALWAYS
        server = create_server(
            lambda: _client_for_caller(accounts),
            confirm=confirm,
            keeps_connections=False,
            limits=_stream_limits(accounts.shutdown),
        )
        async with http_app(server, _site(settings, names, accounts)) as app:
            yield app, accounts.shutdown


async def _client_for_caller(accounts: Accounts) -> EnrichmentBackend:
    request = current_request.get()
    if request.over_limit:
        raise request.over_limit
    return await accounts.client_of(request.principal)


def _stream_limits(shutdown: GracefulShutdown) -> StreamLimits:
    is_over = anyio.Event()
    shutdown.on_begin(is_over.set)
    return StreamLimits(seconds=SUBSCRIPTION_SECONDS, is_over=is_over, is_authorized=_still_reads)


async def _still_reads() -> bool:
    try:
        principal = await current_request.get().reauthenticate()
    except HTTPError:
        return False
    return principal.may(Scope.READ)


def _site(settings: Settings, names: AllowedHosts, accounts: Accounts) -> HTTPConfig:
    resource = _resource(settings)
    authenticator = Authenticator(
        challenges=Challenges(metadata_url=resource.metadata_url if resource else None),
        team_of=accounts.team_of,
        tokens=_tokens(settings, resource) if resource else None,
        open_to_all=settings.http_open,
    )
    limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
    peers = limit.for_peers()
    return HTTPConfig(
        names=names,
        authenticator=authenticator,
        limit=limit,
        count_wrong=lambda address: peers.take(peer_of(address)),
        public_url=settings.public_root,
        resource=resource,
        webhooks=_webhook_receiver(settings, accounts),
    )


def _webhook_receiver(settings: Settings, accounts: Accounts) -> WebhookRoute | None:
    if accounts.webhooks is None:
        return None
    secrets = [secret.get_secret_value() for secret in settings.push_secrets]
    return WebhookRoute(notify=accounts.webhooks.notify, secrets=secrets)


def _resource(settings: Settings) -> ProtectedResource | None:
    if settings.oauth_issuer is None:
        return None
    return ProtectedResource(url=f"{settings.public_root}{MCP_PATH}", issuer=settings.oauth_issuer)


def _tokens(settings: Settings, resource: ProtectedResource) -> TokenVerifier:
    return TokenVerifier(
        issuer=resource.issuer,
        audience=settings.oauth_audience or resource.url,
        keys_for=JWKSCache(resource.issuer, url=settings.oauth_jwks_url),
    )


def _check_settings(settings: Settings, host: str) -> None:
    """Raise `InvalidArguments` for what would let in whoever comes, or nobody."""
    if settings.oauth_issuer and not settings.public_url:
        raise InvalidArguments(MISSING_PUBLIC_URL)
    public = settings.public_url.host if settings.public_url else None
    known_as = [host, *(name.rpartition(":")[0] for name in settings.http_hosts), public or host]
    if settings.http_open and not all(map(is_loopback, known_as)):
        raise InvalidArguments(OPEN_BEYOND_LOOPBACK)
