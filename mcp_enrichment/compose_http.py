"""The composition root of MCP over HTTP: the face for many callers, over whichever service."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client.issuer_keys import IssuerKeys
from mcp_enrichment.compose_accounts import embedded_accounts, remote_accounts
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.hosts import is_loopback
from mcp_enrichment.mcp.http.app import MCP_PATH, Site, http_app
from mcp_enrichment.mcp.http.callers import Scope, current_call
from mcp_enrichment.mcp.http.challenge import Challenges
from mcp_enrichment.mcp.http.credentials import Credentials
from mcp_enrichment.mcp.http.metadata import Resource
from mcp_enrichment.mcp.http.names import names_of
from mcp_enrichment.mcp.http.pushed import PushReceiver
from mcp_enrichment.mcp.http.refused import Refused
from mcp_enrichment.mcp.http.tokens import Tokens
from mcp_enrichment.mcp.listening import Bounds
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.service.http.limits import RateLimit, peer_of
from mcp_enrichment.setting_types import Confirm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from mcp_enrichment.client.port import Enrichments
    from mcp_enrichment.compose_accounts import Accounts
    from mcp_enrichment.mcp.http.names import Names
    from mcp_enrichment.service.domain.stopping import Stopping
    from mcp_enrichment.settings import Settings

OPEN_TO_OTHERS = Explanation(
    happened="ENRICHMENT_HTTP_OPEN is for this machine alone.",
    money=NOTHING_DONE,
    for_person="Leave it unset, or listen on 127.0.0.1 without a public URL or further hosts.",
)
NO_RESOURCE = Explanation(
    happened="ENRICHMENT_OAUTH_ISSUER is set without ENRICHMENT_PUBLIC_URL, and a token is made "
    "for a server of that URL.",
    money=NOTHING_DONE,
    for_person="Set ENRICHMENT_PUBLIC_URL.",
)
LISTENING_SECONDS = 600.0
"""Seconds after which whoever listens has to ask anew, and is checked anew."""


@asynccontextmanager
async def served_mcp(
    settings: Settings, host: str, port: int, name: str | None = None
) -> AsyncIterator[tuple[ASGIApp, Stopping]]:
    """MCP for who listens there, under this name too, and its end, which lets all waits go.

    Raises `InvalidArguments` for settings that do not go together, and `StorageFailed`.
    """
    _check(settings, host)
    names = names_of(
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
            lambda: _client_of_caller(accounts),
            confirm=confirm,
            keeps_connections=False,
            bounds=_bounds(accounts.stopping),
        )
        async with http_app(server, _site(settings, names, accounts)) as app:
            yield app, accounts.stopping


async def _client_of_caller(accounts: Accounts) -> Enrichments:
    call = current_call.get()
    if call.over_limit:
        raise call.over_limit
    return await accounts.client_of(call.caller)


def _bounds(stopping: Stopping) -> Bounds:
    is_over = anyio.Event()
    stopping.at_first(is_over.set)
    return Bounds(seconds=LISTENING_SECONDS, is_over=is_over, still_may=_still_reads)


async def _still_reads() -> bool:
    try:
        caller = await current_call.get().checked_anew()
    except Refused:
        return False
    return caller.may(Scope.READ)


def _site(settings: Settings, names: Names, accounts: Accounts) -> Site:
    resource = _resource(settings)
    credentials = Credentials(
        challenges=Challenges(metadata_url=resource.metadata_url if resource else None),
        team_of=accounts.team_of,
        tokens=_tokens(settings, resource) if resource else None,
        open_to_all=settings.http_open,
    )
    limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
    peers = limit.for_peers()
    return Site(
        names=names,
        credentials=credentials,
        limit=limit,
        wrong=lambda address: peers.take(peer_of(address)),
        public_url=settings.public_root,
        resource=resource,
        pushes=_receiver(settings, accounts),
    )


def _receiver(settings: Settings, accounts: Accounts) -> PushReceiver | None:
    if accounts.pushes is None:
        return None
    secrets = [secret.get_secret_value() for secret in settings.push_secrets]
    return PushReceiver(tell=accounts.pushes.tell, secrets=secrets)


def _resource(settings: Settings) -> Resource | None:
    if settings.oauth_issuer is None:
        return None
    return Resource(url=f"{settings.public_root}{MCP_PATH}", issuer=settings.oauth_issuer)


def _tokens(settings: Settings, resource: Resource) -> Tokens:
    return Tokens(
        issuer=resource.issuer,
        audience=settings.oauth_audience or resource.url,
        keys_for=IssuerKeys(resource.issuer, url=settings.oauth_jwks_url),
    )


def _check(settings: Settings, host: str) -> None:
    """Raise `InvalidArguments` for what would let in whoever comes, or nobody."""
    if settings.oauth_issuer and not settings.public_url:
        raise InvalidArguments(NO_RESOURCE)
    public = settings.public_url.host if settings.public_url else None
    known_as = [host, *(name.rpartition(":")[0] for name in settings.http_hosts), public or host]
    if settings.http_open and not all(map(is_loopback, known_as)):
        raise InvalidArguments(OPEN_TO_OTHERS)
