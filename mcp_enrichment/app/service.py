"""The composition root of the service: its database, its sources, and its running jobs.

Only this module selects the database and the job engine.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.credentials.secret_file import read_or_create_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mcp_enrichment.service.accounts.teams import Team
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.service.queue.handlers import Engine
    from mcp_enrichment.service.sources.base import Source
    from mcp_enrichment.settings import Settings

# Slow imports stand inside functions, so that the server starts without them.
# ruff: noqa: PLC0415

EMBEDDED_STOP_SECONDS = 0.25
"""Seconds that an open vendor request may still take at shutdown: a chat client allows the process
one second."""


def open_database(settings: Settings) -> Database:
    """Open the database of the local service. A SQLite file is migrated. Raises `StorageFailed`."""
    if settings.database_url is None:
        from mcp_enrichment.service.db.sqlite import open_sqlite

        return open_sqlite(settings.database_file, privacy_key=settings.privacy_secret)
    from mcp_enrichment.service.db.postgres import open_postgres

    url = settings.database_url.get_secret_value()
    return open_postgres(url, privacy_key=settings.privacy_secret)


def read_teams(settings: Settings) -> Sequence[Team]:
    """Read the teams in that database without changing it. Raises `StorageFailed`, also if it needs
    a migration."""
    from mcp_enrichment.service.accounts import teams
    from mcp_enrichment.service.db import read_only

    key = settings.privacy_secret
    if settings.database_url is None:
        return read_only.read_sqlite(settings.database_file, teams.list_all, privacy_key=key)
    url = settings.database_url.get_secret_value()
    return read_only.read_postgres(url, teams.list_all, privacy_key=key)


def shared_secret(settings: Settings) -> bytes:
    """The secret that signs ids and sessions: of the settings, else of a file that the processes of
    this machine share. Raises `StorageFailed`."""
    if settings.http_secret:
        return settings.http_secret.get_secret_value().encode()
    return read_or_create_secret(settings.secret_file)


def migrate(settings: Settings) -> None:
    """Migrate that database to this version. Raises `StorageFailed`."""
    if settings.database_url is None:
        open_database(settings).close()
        return
    from mcp_enrichment.service.db.postgres import migrate_postgres

    migrate_postgres(settings.database_url.get_secret_value())


@asynccontextmanager
async def embedded_service(settings: Settings) -> AsyncIterator[tuple[ServiceContext, int]]:
    """The service for this process only, and the id of its one team. Raises `StorageFailed`."""
    from mcp_enrichment.service.accounts.teams import embedded_team

    async with database(settings) as opened:
        team_id = await opened.write(partial(embedded_team, at=time.time()))
        seconds = min(settings.stop_seconds, EMBEDDED_STOP_SECONDS)
        async with running_service(settings, opened, seconds=seconds) as service:
            yield service, team_id


@asynccontextmanager
async def job_worker(settings: Settings) -> AsyncIterator[GracefulShutdown]:
    """Run the jobs of the database, without HTTP. Raises `StorageFailed`."""
    async with (
        database(settings) as opened,
        running_service(settings, opened, watch_completions=False) as service,
    ):
        yield service.shutdown


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the local service. Raises `StorageFailed`."""
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
    watch_completions: bool = True,
    seconds: float | None = None,
) -> AsyncIterator[ServiceContext]:
    """Start the service over its database.

    `jobs`: run jobs in this process. `watch_completions`: watch for completed requests, for held
    responses. `seconds`: the grace period, if not the one of the settings.
    """
    from mcp_enrichment.service.contacts.own_sources import keyless_sources
    from mcp_enrichment.service.privacy.retention import run_retention
    from mcp_enrichment.service.sources import factory

    engine = _job_engine(settings)
    sources = factory.create_sources(
        settings.sources, keyless_sources(database), settings.vendor_keys
    )
    service = _service_context(
        settings,
        database,
        sources,
        engine,
        seconds=settings.stop_seconds if seconds is None else seconds,
    )
    async with factory.closing_sources(sources), anyio.create_task_group() as tasks:
        if jobs:
            tasks.start_soon(service.shutdown.work, partial(engine.run, service))
            tasks.start_soon(run_retention, service)
        if watch_completions:
            tasks.start_soon(service.completion_waiter.watch)
        yield service
        tasks.cancel_scope.cancel()


def _service_context(
    settings: Settings,
    database: Database,
    sources: Sequence[Source],
    engine: Engine,
    *,
    seconds: float,
) -> ServiceContext:
    from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
    from mcp_enrichment.service.context import Retention, ServiceContext
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
    from mcp_enrichment.service.sources.email_checks import EmailChecks

    policy = CallbackURLPolicy(networks=settings.callback_networks, ports=settings.callback_ports)
    return ServiceContext(
        database=database,
        sources=sources,
        sender=CallbackSender(policy),
        callback_policy=policy,
        delivery_delays=settings.callback_delays,
        completion_waiter=CompletionWaiter(database),
        wake=engine.wake,
        lease_lookup=engine.lease_lookup,
        source_limiter=_source_limiter(settings, sources),
        shutdown=GracefulShutdown(seconds),
        check=EmailChecks(check_mx=settings.check_mx),
        sandbox=settings.sandbox,
        retention=Retention(
            answers=settings.answer_days * DAY,
            contacts=settings.contact_days and settings.contact_days * DAY,
        ),
    )


def _source_limiter(settings: Settings, sources: Sequence[Source]) -> SourceLimiter:
    """The rate limits of the sources: those of the settings, else those of the vendor."""
    from mcp_enrichment.contract.source_limit import SourceLimit
    from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
    from mcp_enrichment.service.sources.base import is_vendor

    limits = {source.name: source.terms.limit for source in sources if is_vendor(source)}
    for name, limit in settings.source_limits.items():
        known = limits.get(name, SourceLimit())
        limits[name] = SourceLimit(
            at_once=limit.at_once or known.at_once,
            per_second=limit.per_second or known.per_second,
        )
    return SourceLimiter(limits)


def _job_engine(settings: Settings) -> Engine:
    """Select the job engine: SQLite worker or procrastinate."""
    if settings.database_url is None:
        from mcp_enrichment.service.queue.sqlite_worker import SQLiteWorker

        return SQLiteWorker(concurrency=settings.concurrency)
    from mcp_enrichment.service.queue.procrastinate_worker import ProcrastinateWorkers

    url = settings.database_url.get_secret_value()
    return ProcrastinateWorkers(url, concurrency=settings.concurrency)
