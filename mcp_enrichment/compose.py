"""The composition root: the only place that knows both halves, and joins them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.first_use import on_first_use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.domain.turns import Turns
    from mcp_enrichment.service.jobs.work import Engine
    from mcp_enrichment.service.store.database import Database
    from mcp_enrichment.settings import Settings

# What is imported inside a function costs more than the whole start of the server may take; the
# first call that needs it pays for it.
# ruff: noqa: PLC0415

EMBEDDED_URL = "http://embedded.invalid"
"""Never resolved: the in-process transport answers it. RFC 2606 keeps the name from anybody."""
DAY = 86_400.0


@asynccontextmanager
async def connected_on_first_use(
    settings: Settings,
) -> AsyncIterator[Callable[[], Awaitable[EnrichmentClient]]]:
    """Yields a function that gives the client; before its first call nothing is opened."""
    async with on_first_use(lambda: connect(settings)) as client:
        yield client


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[EnrichmentClient]:
    """A client of the service that the settings name: the embedded one, a team's or the vendor."""
    if settings.is_embedded:
        async with _embedded_client(settings) as client:
            yield client
        return
    from mcp_enrichment.client.client import EnrichmentClient

    key = settings.api_key.get_secret_value() if settings.api_key else None
    async with EnrichmentClient(
        settings.server_url,
        api_key=key,
        memory=settings.memory_file,
        keep_misses=settings.miss_days * DAY,
    ) as client:
        yield client


def open_database(settings: Settings) -> Database:
    """The database of this machine's service, migrated where it is a file. Raises
    `StorageFailed`."""
    if settings.database_url is None:
        from mcp_enrichment.service.store.database import open_sqlite

        return open_sqlite(settings.database_file)
    from mcp_enrichment.service.store.postgres import open_postgres

    return open_postgres(settings.database_url.get_secret_value())


def migrate(settings: Settings) -> None:
    """Bring that database to this version's schema. Raises `StorageFailed`."""
    if settings.database_url is None:
        open_database(settings).close()
        return
    from mcp_enrichment.service.store.postgres import migrate_postgres

    migrate_postgres(settings.database_url.get_secret_value())


@asynccontextmanager
async def served(
    settings: Settings, *, jobs: bool = True
) -> AsyncIterator[tuple[ASGIApp, Callable[[], None]]]:
    """The service for a team's callers, each by its key, and what lets go of held answers.

    Without `jobs` the work is left to other processes. Raises `StorageFailed`.
    """
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import ByKey
    from mcp_enrichment.service.http.limits import RateLimit

    async with _service(settings, jobs=jobs) as service:
        limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
        by_key = ByKey(service.database)
        app = create_app(service, by_key, rate_limit=limit, metrics=settings.metrics)
        yield app, service.finals.let_go


@asynccontextmanager
async def _embedded_service(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The service for this process alone: one team, no key. Raises `StorageFailed`."""
    from mcp_enrichment.service.domain.teams import embedded_team
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import OneTeam

    async with _service(settings) as service:
        team_id = await service.database.write(partial(embedded_team, at=time.time()))
        yield create_app(service, OneTeam(team_id))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """The jobs of the database at work, and nobody served. Raises `StorageFailed`."""
    async with _service(settings, holds=False):
        yield


@asynccontextmanager
async def _service(
    settings: Settings, *, jobs: bool = True, holds: bool = True
) -> AsyncIterator[Service]:
    """The domain over its database: its `jobs` at work or left to other processes; where answers
    are held, ends are watched for."""
    from mcp_enrichment.service.domain.addresses import CallbackRules
    from mcp_enrichment.service.domain.contacts import StoredContacts
    from mcp_enrichment.service.domain.finals import Finals
    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.jobs.sender import CallbackSender
    from mcp_enrichment.service.sources.contacts import ContactsSource

    database = await anyio.to_thread.run_sync(open_database, settings)
    try:
        rules = CallbackRules(networks=settings.callback_networks, ports=settings.callback_ports)
        engine = _engine(settings)
        service = Service(
            database=database,
            sources=[ContactsSource(StoredContacts(database))],
            sender=CallbackSender(rules),
            callback_rules=rules,
            delivery_delays=settings.callback_delays,
            finals=Finals(database),
            wake=engine.wake,
            turns=_turns(settings),
        )
        async with anyio.create_task_group() as tasks:
            if jobs:
                tasks.start_soon(engine.run, service)
            if holds:
                tasks.start_soon(service.finals.watch)
            yield service
            tasks.cancel_scope.cancel()
    finally:
        database.close()


def _turns(settings: Settings) -> Turns:
    from mcp_enrichment.service.domain.turns import Turns
    from mcp_enrichment.service.store.turns import Limit

    return Turns(
        {
            limit.source: Limit(at_once=limit.at_once, per_second=limit.per_second)
            for limit in settings.source_limits
        }
    )


def _engine(settings: Settings) -> Engine:
    """Who has the jobs done: the one place that chooses."""
    if settings.database_url is None:
        from mcp_enrichment.service.jobs.runner import Runner

        return Runner(concurrency=settings.concurrency)
    from mcp_enrichment.service.jobs.fleet import Fleet

    url = settings.database_url.get_secret_value()
    return Fleet(url, concurrency=settings.concurrency)


@asynccontextmanager
async def _embedded_client(settings: Settings) -> AsyncIterator[EnrichmentClient]:
    import httpx

    from mcp_enrichment.client.client import EnrichmentClient

    async with (
        on_first_use(lambda: _embedded_service(settings)) as service,
        EnrichmentClient(
            EMBEDDED_URL,
            memory=settings.memory_file,
            transport=httpx.ASGITransport(_answered_by(service), raise_app_exceptions=False),
            account=settings.database_name,
            # Contacts may be imported at any minute, and asking again costs nothing.
            keep_misses=0,
        ) as client,
    ):
        yield client


def _answered_by(service: Callable[[], Awaitable[ASGIApp]]) -> ASGIApp:
    """An application that opens the service at its first request, or tells why it cannot."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        from mcp_enrichment.service.http.errors import answer

        try:
            opened = await service()
        except StorageFailed as failure:
            await answer(failure)(scope, receive, send)
        else:
            await opened(scope, receive, send)

    return app
