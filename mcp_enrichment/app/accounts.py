"""On whose account a caller of MCP over HTTP asks, and through which client.

A key is checked against the database of this machine's service, and goes nowhere else. Where the
service is embedded, its bearer acts for the key's team; with a vendor or a team's own service
behind, all callers share the account of the settings, each with ids of its own.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp_enrichment.app.client import in_process_client, open_client
from mcp_enrichment.app.lazy import lazy, lazy_by_key
from mcp_enrichment.app.service import database, running_service
from mcp_enrichment.client.scoped import IdSigner, ScopedClient
from mcp_enrichment.client.state.webhook_store import WebhookStore
from mcp_enrichment.client.webhooks import Webhooks
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.credentials.secret_file import read_or_create_secret
from mcp_enrichment.mcp.http.auth.principal import OPERATOR, Principal, Scope
from mcp_enrichment.mcp.http.webhook_route import WEBHOOKS
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.accounts import teams as store
from mcp_enrichment.service.accounts.teams import local_team
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.auth import OneTeam
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.protocols import EnrichmentBackend
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """What the callers of one server act for."""

    team_of: Callable[[str], Awaitable[int | None]]
    """The team of a key."""
    client_of: Callable[[Principal], Awaitable[EnrichmentBackend]]
    shutdown: GracefulShutdown
    """Lets all waits go, with what was last seen."""
    webhooks: Webhooks | None = None
    """Where a vendor tells the ends of lookups."""


@asynccontextmanager
async def embedded_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The teams of the service in this process. Raises `StorageFailed` and `InvalidArguments`."""
    secret = _id_secret(settings)
    async with database(settings) as opened, running_service(settings, opened) as service:
        teams = _Teams(settings, service)
        if settings.oauth_issuer:
            await teams.named(settings.oauth_team)  # where there is none, it is told at the start
        async with lazy_by_key(teams.client) as client_of_team:

            async def client_of(caller: Principal) -> EnrichmentBackend:
                if caller.team_id is not None:
                    return await client_of_team(caller.team_id)
                if caller == OPERATOR:
                    return await client_of_team(await teams.named(DEFAULT_TEAM))
                client = await client_of_team(await teams.named(settings.oauth_team))
                return _scoped_client(client, caller, secret)

            team_of = partial(api_keys.authenticate, service.database)
            service.shutdown.on_begin(teams.release_waiters)
            yield Accounts(team_of=team_of, client_of=client_of, shutdown=service.shutdown)


class _Teams:
    """The teams of one service, each with a client of its own."""

    def __init__(self, settings: Settings, service: ServiceContext) -> None:
        self._settings = settings
        self._service = service
        self._ids: dict[str, int] = {}
        self._clients: set[EnrichmentClient] = set()

    async def named(self, name: str) -> int:
        """The id of a team. Raises `InvalidArguments` where there is none of that name."""
        if name not in self._ids:
            self._ids[name] = await self._service.database.write(
                lambda connection: local_team(connection, name, at=time.time())
            )
        return self._ids[name]

    @asynccontextmanager
    async def client(self, team_id: int) -> AsyncIterator[EnrichmentClient]:
        """A client that acts for the team."""
        app = create_app(self._service, OneTeam(team_id))
        embedded = await self._service.database.read(lambda c: store.id_of(c, DEFAULT_TEAM))
        # The embedded team's memory is the one that is used over stdio.
        team = "" if team_id == embedded else f"#{team_id}"
        async with in_process_client(app, self._settings, team=team) as client:
            self._clients.add(client)
            yield client
            self._clients.remove(client)

    def release_waiters(self) -> None:
        """End all waits of all teams."""
        for client in self._clients:
            client.release_waiters()


@asynccontextmanager
async def remote_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The one account that the settings name, shared by all callers."""
    secret = _id_secret(settings)
    webhooks = _webhooks(settings, secret)
    async with (
        lazy(lambda: database(settings)) as local,
        open_client(settings, webhooks=webhooks) as client,
    ):

        async def team_of(key: str) -> int | None:
            return (
                await api_keys.authenticate(await local(), key) if api_keys.key_id_of(key) else None
            )

        async def client_of(caller: Principal) -> EnrichmentBackend:
            return client if caller == OPERATOR else _scoped_client(client, caller, secret)

        shutdown = GracefulShutdown()
        shutdown.on_begin(client.release_waiters)
        yield Accounts(team_of=team_of, client_of=client_of, shutdown=shutdown, webhooks=webhooks)


def _webhooks(settings: Settings, secret: bytes) -> Webhooks | None:
    """None where the service could not reach us, and would refuse to try."""
    public, service = settings.public_url, urlsplit(settings.server_url).hostname
    if public is None or (is_loopback(public.host or "") and not is_loopback(service or "")):
        return None
    file = WebhookStore(settings.push_file)
    return Webhooks(url=f"{settings.public_root}{WEBHOOKS}", secret=secret, file=file)


def _scoped_client(client: EnrichmentClient, caller: Principal, secret: bytes) -> EnrichmentBackend:
    seal = IdSigner(secret=secret, caller=caller.name)
    return ScopedClient(client=client, signer=seal, may_submit=caller.may(Scope.SPEND))


def _id_secret(settings: Settings) -> bytes:
    if settings.http_secret:
        return settings.http_secret.get_secret_value().encode()
    return read_or_create_secret(settings.secret_file)
