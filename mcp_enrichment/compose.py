"""The composition root: the only place that knows both halves, and joins them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.first_use import on_first_use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.memory import Memory
    from mcp_enrichment.client.pushes import Pushes
    from mcp_enrichment.client.spending import Budget
    from mcp_enrichment.service.domain.service import Service
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
async def connect(
    settings: Settings, *, pushes: Pushes | None = None
) -> AsyncIterator[EnrichmentClient]:
    """A client of the service that the settings name: the embedded one, a team's or the vendor.

    `pushes`: where the end of a lookup elsewhere is told to, if somebody listens there.
    """
    # A keyring may ask the user to unlock it, for longer than the call that waits.
    if await anyio.to_thread.run_sync(lambda: settings.is_embedded, abandon_on_cancel=True):
        async with _embedded_client(settings) as client:
            yield client
        return
    from mcp_enrichment.client.client import EnrichmentClient

    async with EnrichmentClient(
        settings.server_url,
        api_key=_key(settings),
        memory=settings.memory_file,
        keep=settings.memory_days * DAY,
        keep_misses=settings.miss_days * DAY,
        budget=_budget(settings),
        pushes=pushes,
    ) as client:
        yield client


def memory_of(settings: Settings) -> Memory:
    """What was asked on the account that the settings name."""
    from mcp_enrichment.client.client import account_of
    from mcp_enrichment.client.memory import Memory

    account = (
        account_of(EMBEDDED_URL, None, str(settings.database_file))
        if settings.is_embedded
        else account_of(settings.server_url, _key(settings))
    )
    return Memory(settings.memory_file, account)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[ASGIApp, Callable[[], None]]]:
    """The service for a team's callers, each by its key, and what lets go of held answers.

    Raises `StorageFailed`.
    """
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import ByKey
    from mcp_enrichment.service.http.limits import RateLimit

    async with database(settings) as opened, working_service(settings, opened) as service:
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

    async with database(settings) as opened:
        team_id = await opened.write(partial(embedded_team, at=time.time()))
        async with working_service(settings, opened) as service:
            yield create_app(service, OneTeam(team_id))


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The service's database, open. Raises `StorageFailed`."""
    from mcp_enrichment.service.store.database import open_sqlite

    opening = partial(open_sqlite, settings.database_file, privacy_key=settings.privacy_secret)
    opened = await anyio.to_thread.run_sync(opening)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def working_service(settings: Settings, database: Database) -> AsyncIterator[Service]:
    """The domain over its database, with its jobs at work."""
    from mcp_enrichment.service.domain.addresses import CallbackRules
    from mcp_enrichment.service.domain.contacts import StoredContacts
    from mcp_enrichment.service.domain.finals import Finals
    from mcp_enrichment.service.domain.service import Retention, Service
    from mcp_enrichment.service.jobs.deleting import delete_in_time
    from mcp_enrichment.service.jobs.runner import Runner
    from mcp_enrichment.service.jobs.sender import CallbackSender
    from mcp_enrichment.service.sources.contacts import ContactsSource

    rules = CallbackRules(networks=settings.callback_networks, ports=settings.callback_ports)
    runner = Runner()
    service = Service(
        database=database,
        sources=[ContactsSource(StoredContacts(database))],
        sender=CallbackSender(rules),
        callback_rules=rules,
        delivery_delays=settings.callback_delays,
        finals=Finals(database),
        wake=runner.wake,
        sandbox=settings.sandbox,
        retention=Retention(
            answers=settings.answer_days * DAY,
            contacts=settings.contact_days and settings.contact_days * DAY,
        ),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run, service)
        tasks.start_soon(service.finals.watch)
        tasks.start_soon(delete_in_time, service)
        yield service
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def _embedded_client(settings: Settings) -> AsyncIterator[EnrichmentClient]:
    async with (
        on_first_use(lambda: _embedded_service(settings)) as service,
        client_of_app(_answered_by(service), settings) as client,
    ):
        yield client


def client_of_app(app: ASGIApp, settings: Settings, *, team: str = "") -> EnrichmentClient:
    """A client of the service in this process. `team`: tells others from the embedded one."""
    import httpx

    from mcp_enrichment.client.client import EnrichmentClient

    return EnrichmentClient(
        EMBEDDED_URL,
        memory=settings.memory_file,
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        account=f"{settings.database_file}{team}",
        keep=settings.memory_days * DAY,
        budget=_budget(settings),
        honours_keys=True,
        # Contacts may be imported at any minute, and asking again costs nothing.
        keep_misses=0,
    )


def _budget(settings: Settings) -> Budget:
    from mcp_enrichment.client.spending import Budget

    return Budget(daily=settings.daily_budget, reserve=settings.reserve)


def _key(settings: Settings) -> str | None:
    return settings.key.key.get_secret_value() if settings.key else None


def _answered_by(service: Callable[[], Awaitable[ASGIApp]]) -> ASGIApp:
    """An application that opens the service at its first request, or tells why it cannot."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        from mcp_enrichment.service.http.errors import answer

        try:
            opened = await service()
        except StorageFailed as failure:
            await answer(failure)(scope, receive, send)
        except Exception:  # noqa: BLE001 (it is logged where it was raised, and nothing was begun)
            await answer(StorageFailed(StorageFault.UNREACHABLE))(scope, receive, send)
        else:
            await opened(scope, receive, send)

    return app
