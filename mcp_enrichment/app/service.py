"""The service's side of the composition root: its domain over its database, with its jobs at work.

The one place that chooses which database there is, and which engine has the jobs done.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import ASGIApp

    from mcp_enrichment.service.accounts.teams import Team
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.service.queue.handlers import Engine
    from mcp_enrichment.service.sources.base import Source
    from mcp_enrichment.settings import Settings

# What is imported inside a function costs more than the whole start of the server may take; the
# first call that needs it pays for it.
# ruff: noqa: PLC0415

DAY = 86_400.0
EMBEDDED_STOP_SECONDS = 0.25
"""For a vendor that is being asked as a chat client ends its server: it allows for a second."""


def open_database(settings: Settings) -> Database:
    """The database of this machine's service, migrated where it is a file. Raises
    `StorageFailed`."""
    if settings.database_url is None:
        from mcp_enrichment.service.db.database import open_sqlite

        return open_sqlite(settings.database_file, privacy_key=settings.privacy_secret)
    from mcp_enrichment.service.db.postgres import open_postgres

    url = settings.database_url.get_secret_value()
    return open_postgres(url, privacy_key=settings.privacy_secret)


def read_teams(settings: Settings) -> Sequence[Team]:
    """The teams in that database, which stays as it is. Raises `StorageFailed`, also where it would
    have to be migrated."""
    from mcp_enrichment.service.accounts import teams
    from mcp_enrichment.service.db import read_only

    key = settings.privacy_secret
    if settings.database_url is None:
        return read_only.read_sqlite(settings.database_file, teams.list_all, privacy_key=key)
    url = settings.database_url.get_secret_value()
    return read_only.read_postgres(url, teams.list_all, privacy_key=key)


def migrate(settings: Settings) -> None:
    """Bring that database to this version's schema. Raises `StorageFailed`."""
    if settings.database_url is None:
        open_database(settings).close()
        return
    from mcp_enrichment.service.db.postgres import migrate_postgres

    migrate_postgres(settings.database_url.get_secret_value())


@asynccontextmanager
async def service_app(
    settings: Settings, *, jobs: bool = True
) -> AsyncIterator[tuple[ASGIApp, GracefulShutdown]]:
    """The service for a team's callers, each by its key; and its end, which lets held answers go.

    Without `jobs` the work is left to other processes. Raises `StorageFailed`.
    """
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import ByKey
    from mcp_enrichment.service.http.rate_limit import RateLimit

    async with (
        database(settings) as opened,
        running_service(settings, opened, jobs=jobs) as service,
    ):
        limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
        by_key = ByKey(service.database)
        app = create_app(service, by_key, rate_limit=limit, metrics=settings.metrics)
        service.shutdown.on_begin(service.completion_waiter.release_waiters)
        yield app, service.shutdown


@asynccontextmanager
async def embedded_service(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The service for this process alone: one team, no key. Raises `StorageFailed`."""
    from mcp_enrichment.service.accounts.teams import embedded_team
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import OneTeam

    async with database(settings) as opened:
        team_id = await opened.write(partial(embedded_team, at=time.time()))
        seconds = min(settings.stop_seconds, EMBEDDED_STOP_SECONDS)
        async with running_service(settings, opened, seconds=seconds) as service:
            yield create_app(service, OneTeam(team_id))


@asynccontextmanager
async def job_worker(settings: Settings) -> AsyncIterator[GracefulShutdown]:
    """The jobs of the database at work until its end, and nobody served. Raises `StorageFailed`."""
    async with (
        database(settings) as opened,
        running_service(settings, opened, holds=False) as service,
    ):
        yield service.shutdown


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The service's database, open. Raises `StorageFailed`."""
    opened = await anyio.to_thread.run_sync(open_database, settings)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def running_service(
    settings: Settings,
    database: Database,
    *,
    jobs: bool = True,
    holds: bool = True,
    seconds: float | None = None,
) -> AsyncIterator[ServiceContext]:
    """The domain over its database: its `jobs` at work or left to other processes; where answers
    are held, ends are watched for. `seconds`: for its end, where not those of the settings."""
    from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
    from mcp_enrichment.service.context import Retention, ServiceContext
    from mcp_enrichment.service.lookup.source_report import keyless_sources
    from mcp_enrichment.service.privacy.retention import run_retention
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
    from mcp_enrichment.service.sources import factory
    from mcp_enrichment.service.sources.email_checks import address_check

    rules = CallbackURLPolicy(networks=settings.callback_networks, ports=settings.callback_ports)
    engine = _job_engine(settings)
    sources = factory.sources(settings.sources, keyless_sources(database), settings.vendor_keys)
    service = ServiceContext(
        database=database,
        sources=sources,
        sender=CallbackSender(rules),
        callback_rules=rules,
        delivery_delays=settings.callback_delays,
        completion_waiter=CompletionWaiter(database),
        wake=engine.wake,
        source_limiter=_source_limiter(settings, sources),
        shutdown=GracefulShutdown(settings.stop_seconds if seconds is None else seconds),
        check=address_check(check_mx=settings.check_mx),
        sandbox=settings.sandbox,
        retention=Retention(
            answers=settings.answer_days * DAY,
            contacts=settings.contact_days and settings.contact_days * DAY,
        ),
    )
    async with factory.closing_sources(sources), anyio.create_task_group() as tasks:
        if jobs:
            tasks.start_soon(service.shutdown.work, partial(engine.run, service))
            tasks.start_soon(run_retention, service)
        if holds:
            tasks.start_soon(service.completion_waiter.watch)
        yield service
        tasks.cancel_scope.cancel()


def _source_limiter(settings: Settings, sources: Sequence[Source]) -> SourceLimiter:
    """How much each source may be asked: a vendor as its terms have it, where nothing else is
    set."""
    from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
    from mcp_enrichment.service.lookup.source_slots import Limit
    from mcp_enrichment.service.sources.base import is_vendor

    limits = {
        source.name: Limit(at_once=source.terms.at_once, per_second=source.terms.per_second)
        for source in sources
        if is_vendor(source)
    }
    for limit in settings.source_limits:
        known = limits.get(limit.source, Limit())
        limits[limit.source] = Limit(
            at_once=limit.at_once or known.at_once,
            per_second=limit.per_second or known.per_second,
        )
    return SourceLimiter(limits)


def _job_engine(settings: Settings) -> Engine:
    """Who has the jobs done: the one place that chooses."""
    if settings.database_url is None:
        from mcp_enrichment.service.queue.sqlite_worker import SQLiteWorker

        return SQLiteWorker(concurrency=settings.concurrency)
    from mcp_enrichment.service.queue.procrastinate_worker import ProcrastinateWorkers

    url = settings.database_url.get_secret_value()
    return ProcrastinateWorkers(url, concurrency=settings.concurrency)
