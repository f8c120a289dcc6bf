"""MCP over HTTP: the server for many callers, and the client that each of them uses.

A key is verified against the database of the local service, and is not sent anywhere. With the
embedded service, its bearer acts for the team of the key. With a vendor or a team's service, all
callers share the account of the settings, and each has ids of its own.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from mcp_enrichment.app.client import in_process_client, open_client
from mcp_enrichment.app.lazy import lazy, lazy_by_key
from mcp_enrichment.app.service import database, running_service, shared_secret
from mcp_enrichment.client.scoped import IdSigner, ScopedClient
from mcp_enrichment.client.webhooks import Webhooks, WebhookStore
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.mcp.http.allowed_hosts import allowed_hosts
from mcp_enrichment.mcp.http.app import MCP_PATH, HTTPConfig, http_app
from mcp_enrichment.mcp.http.auth.access_tokens import TokenVerifier
from mcp_enrichment.mcp.http.auth.authenticator import (
    Authenticator,
    Challenges,
    ProtectedResource,
)
from mcp_enrichment.mcp.http.auth.jwks import JWKSCache
from mcp_enrichment.mcp.http.auth.principal import OPERATOR, Principal, Scope, current_request
from mcp_enrichment.mcp.http.discovery import Discovery
from mcp_enrichment.mcp.http.request import HTTPError
from mcp_enrichment.mcp.http.webhook_route import WEBHOOKS, WebhookRoute
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.mcp.subscriptions import StreamLimits
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.accounts.teams import id_of, local_team
from mcp_enrichment.service.http.rate_limit import RateLimit, peer_of
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
from mcp_enrichment.settings.types import Confirm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.scoped import ToolClient
    from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts
    from mcp_enrichment.service.context import ServiceContext
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
"""The duration of a listen stream. The client then opens another, and is authenticated again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """The accounts of the callers of one server."""

    team_of: Callable[[str], Awaitable[int | None]]
    """The team of a key."""
    client_of: Callable[[Principal], Awaitable[ToolClient]]
    shutdown: GracefulShutdown
    """Ends all waits with the last known results."""
    webhooks: Webhooks | None = None
    """Receives the webhooks of a vendor."""


@asynccontextmanager
async def embedded_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The teams of the service in this process. Raises `StorageFailed` and `InvalidArguments`."""
    secret = shared_secret(settings)
    async with database(settings) as opened, running_service(settings, opened) as service:
        service.shutdown.on_begin(service.completion_waiter.release_waiters)
        teams = _Teams(settings, service)
        if settings.oauth_issuer:
            await teams.named(settings.oauth_team)  # raises at the start if it does not exist
        async with lazy_by_key(teams.client) as client_of_team:

            async def client_of(caller: Principal) -> ToolClient:
                if caller.team_id is not None:
                    return await client_of_team(caller.team_id)
                if caller == OPERATOR:
                    return await client_of_team(await teams.named(DEFAULT_TEAM))
                client = await client_of_team(await teams.named(settings.oauth_team))
                return _scoped_client(client, caller, secret)

            team_of = partial(api_keys.authenticate, service.database)
            yield Accounts(team_of=team_of, client_of=client_of, shutdown=service.shutdown)


@dataclass(frozen=True, slots=True)
class _Teams:
    settings: Settings
    service: ServiceContext
    _ids: dict[str, int] = field(default_factory=dict)

    async def named(self, name: str) -> int:
        """The id of a team. Raises `InvalidArguments` for an unknown name."""
        if name not in self._ids:
            self._ids[name] = await self.service.database.write(
                lambda connection: local_team(connection, name, at=time.time())
            )
        return self._ids[name]

    @asynccontextmanager
    async def client(self, team_id: int) -> AsyncIterator[EnrichmentClient]:
        """A client that acts for the team. All its waits end when the service shuts down."""
        embedded = await self.service.database.read(lambda c: id_of(c, DEFAULT_TEAM))
        # The embedded team shares its memory with the server on stdio.
        team = "" if team_id == embedded else f"#{team_id}"

        async def get_service() -> tuple[ServiceContext, int]:
            return self.service, team_id

        async with in_process_client(get_service, self.settings, team=team) as client:
            self.service.shutdown.on_begin(client.release_waiters)
            yield client


@asynccontextmanager
async def remote_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The account of the settings, shared by all callers."""
    secret = shared_secret(settings)
    webhooks = _webhooks(settings, secret)
    async with (
        lazy(lambda: database(settings)) as local,
        open_client(settings, webhooks=webhooks) as client,
    ):

        async def team_of(key: str) -> int | None:
            return (
                await api_keys.authenticate(await local(), key) if api_keys.key_id_of(key) else None
            )

        async def client_of(caller: Principal) -> ToolClient:
            return client if caller == OPERATOR else _scoped_client(client, caller, secret)

        shutdown = GracefulShutdown()
        shutdown.on_begin(client.release_waiters)
        yield Accounts(team_of=team_of, client_of=client_of, shutdown=shutdown, webhooks=webhooks)


def _webhooks(settings: Settings, secret: bytes) -> Webhooks | None:
    """The receiver of webhooks; None if the service cannot reach this server."""
    public, service = settings.public_url, urlsplit(settings.server_url).hostname
    if public is None or (is_loopback(public.host or "") and not is_loopback(service or "")):
        return None
    file = WebhookStore(settings.push_file)
    return Webhooks(url=f"{settings.public_root}{WEBHOOKS}", secret=secret, file=file)


def _scoped_client(client: EnrichmentClient, caller: Principal, secret: bytes) -> ToolClient:
    signer = IdSigner(secret=secret, caller=caller.name)
    return ScopedClient(client=client, signer=signer, may_submit=caller.may(Scope.SPEND))


@asynccontextmanager
async def mcp_http_app(
    settings: Settings, host: str, port: int, name: str | None = None
) -> AsyncIterator[tuple[ASGIApp, GracefulShutdown]]:
    """The MCP app for this address and host name, and its shutdown, which ends all waits.

    Raises `InvalidArguments` for contradictory settings, and `StorageFailed`.
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
        is_over = anyio.Event()
        accounts.shutdown.on_begin(is_over.set)
        server = create_server(
            partial(_client_for_caller, accounts),
            confirm=settings.confirm is Confirm.ALWAYS,
            keeps_connections=False,
            limits=StreamLimits(
                seconds=SUBSCRIPTION_SECONDS, is_over=is_over, is_authorized=_may_still_read
            ),
        )
        async with http_app(server, _http_config(settings, names, accounts)) as app:
            yield app, accounts.shutdown


async def _client_for_caller(accounts: Accounts) -> ToolClient:
    request = current_request.get()
    if request.over_limit:
        raise request.over_limit
    return await accounts.client_of(request.principal)


async def _may_still_read() -> bool:
    try:
        principal = await current_request.get().reauthenticate()
    except HTTPError:
        return False
    return principal.may(Scope.READ)


def _http_config(settings: Settings, names: AllowedHosts, accounts: Accounts) -> HTTPConfig:
    resource = _resource(settings)
    authenticator = Authenticator(
        challenges=Challenges(metadata_url=resource.metadata_url if resource else None),
        team_of=accounts.team_of,
        tokens=_tokens(settings, resource) if resource else None,
        open_to_all=settings.http_open,
    )
    limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
    peers = limit.for_peers()
    webhooks = None
    if accounts.webhooks:
        secrets = [secret.get_secret_value() for secret in settings.push_secrets]
        webhooks = WebhookRoute(notify=accounts.webhooks.notify, secrets=secrets)
    return HTTPConfig(
        names=names,
        authenticator=authenticator,
        limit=limit,
        count_wrong=lambda address: peers.take(peer_of(address)),
        public_url=settings.public_root,
        resource=resource,
        webhooks=webhooks,
        discovery=_discovery(settings),
    )


def _discovery(settings: Settings) -> Discovery | None:
    root = settings.public_root
    if root is None:
        return None
    return Discovery(
        endpoint=f"{root}{MCP_PATH}",
        root=root,
        card_path=settings.server_card_path,
        catalog_path=settings.ai_catalog_path,
        has_issuer=settings.oauth_issuer is not None,
    )


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
    """Raise `InvalidArguments` for settings that would admit everybody, or nobody."""
    if settings.oauth_issuer and not settings.public_url:
        raise InvalidArguments(MISSING_PUBLIC_URL)
    public = settings.public_url.host if settings.public_url else None
    known_as = [host, *(name.rpartition(":")[0] for name in settings.http_hosts), public or host]
    if settings.http_open and not all(map(is_loopback, known_as)):
        raise InvalidArguments(OPEN_BEYOND_LOOPBACK)
