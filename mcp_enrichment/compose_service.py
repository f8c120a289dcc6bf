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

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.domain.stopping import Stopping
    from mcp_enrichment.service.domain.turns import Turns
    from mcp_enrichment.service.jobs.work import Engine
    from mcp_enrichment.service.sources.port import Source
    from mcp_enrichment.service.store.database import Database
    from mcp_enrichment.service.store.teams import Team
    from mcp_enrichment.settings import Settings

# What is imported inside a function costs more than the whole start of the server may take; the
# first call that needs it pays for it.
# ruff: noqa: PLC0415

DAY = 86_400.0
EMBEDDED_SECONDS = 0.25
"""For a vendor that is being asked as a chat client ends its server: it allows for a second."""


def open_database(settings: Settings) -> Database:
    """The database of this machine's service, migrated where it is a file. Raises
    `StorageFailed`."""
    if settings.database_url is None:
        from mcp_enrichment.service.store.database import open_sqlite

        return open_sqlite(settings.database_file, privacy_key=settings.privacy_secret)
    from mcp_enrichment.service.store.postgres import open_postgres

    url = settings.database_url.get_secret_value()
    return open_postgres(url, privacy_key=settings.privacy_secret)


def stored_teams(settings: Settings) -> Sequence[Team]:
    """The teams in that database, which stays as it is. Raises `StorageFailed`, also where it would
    have to be migrated."""
    from mcp_enrichment.service.store import looking, teams

    key = settings.privacy_secret
    if settings.database_url is None:
        return looking.look_into_sqlite(settings.database_file, teams.every, privacy_key=key)
    url = settings.database_url.get_secret_value()
    return looking.look_into_postgres(url, teams.every, privacy_key=key)


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
) -> AsyncIterator[tuple[ASGIApp, Stopping]]:
    """The service for a team's callers, each by its key; and its end, which lets held answers go.

    Without `jobs` the work is left to other processes. Raises `StorageFailed`.
    """
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import ByKey
    from mcp_enrichment.service.http.limits import RateLimit

    async with (
        database(settings) as opened,
        working_service(settings, opened, jobs=jobs) as service,
    ):
        limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
        by_key = ByKey(service.database)
        app = create_app(service, by_key, rate_limit=limit, metrics=settings.metrics)
        service.stopping.at_first(service.finals.release_waiters)
        yield app, service.stopping


@asynccontextmanager
async def embedded_service(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The service for this process alone: one team, no key. Raises `StorageFailed`."""
    from mcp_enrichment.service.domain.teams import embedded_team
    from mcp_enrichment.service.http.app import create_app
    from mcp_enrichment.service.http.auth import OneTeam

    async with database(settings) as opened:
        team_id = await opened.write(partial(embedded_team, at=time.time()))
        seconds = min(settings.stop_seconds, EMBEDDED_SECONDS)
        async with working_service(settings, opened, seconds=seconds) as service:
            yield create_app(service, OneTeam(team_id))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Stopping]:
    """The jobs of the database at work until its end, and nobody served. Raises `StorageFailed`."""
    async with (
        database(settings) as opened,
        working_service(settings, opened, holds=False) as service,
    ):
        yield service.stopping


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The service's database, open. Raises `StorageFailed`."""
    opened = await anyio.to_thread.run_sync(open_database, settings)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def working_service(
    settings: Settings,
    database: Database,
    *,
    jobs: bool = True,
    holds: bool = True,
    seconds: float | None = None,
) -> AsyncIterator[Service]:
    """The domain over its database: its `jobs` at work or left to other processes; where answers
    are held, ends are watched for. `seconds`: for its end, where not those of the settings."""
    from mcp_enrichment.service.domain.addresses import CallbackRules
    from mcp_enrichment.service.domain.finals import Finals
    from mcp_enrichment.service.domain.service import Retention, Service
    from mcp_enrichment.service.domain.sources import own_sources
    from mcp_enrichment.service.domain.stopping import Stopping
    from mcp_enrichment.service.jobs.deleting import delete_in_time
    from mcp_enrichment.service.jobs.sender import CallbackSender
    from mcp_enrichment.service.sources import chosen
    from mcp_enrichment.service.sources.checks import address_check

    rules = CallbackRules(networks=settings.callback_networks, ports=settings.callback_ports)
    engine = _engine(settings)
    sources = chosen.sources(settings.sources, own_sources(database), settings.vendor_keys)
    service = Service(
        database=database,
        sources=sources,
        sender=CallbackSender(rules),
        callback_rules=rules,
        delivery_delays=settings.callback_delays,
        finals=Finals(database),
        wake=engine.wake,
        turns=_turns(settings, sources),
        stopping=Stopping(settings.stop_seconds if seconds is None else seconds),
        check=address_check(check_mx=settings.check_mx),
        sandbox=settings.sandbox,
        retention=Retention(
            answers=settings.answer_days * DAY,
            contacts=settings.contact_days and settings.contact_days * DAY,
        ),
    )
    async with chosen.closing(sources), anyio.create_task_group() as tasks:
        if jobs:
            tasks.start_soon(service.stopping.work, partial(engine.run, service))
            tasks.start_soon(delete_in_time, service)
        if holds:
            tasks.start_soon(service.finals.watch)
        yield service
        tasks.cancel_scope.cancel()


def _turns(settings: Settings, sources: Sequence[Source]) -> Turns:
    """How much each source may be asked: a vendor as its terms have it, where nothing else is
    set."""
    from mcp_enrichment.service.domain.turns import Turns
    from mcp_enrichment.service.sources.port import is_vendor
    from mcp_enrichment.service.store.turns import Limit

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
    return Turns(limits)


def _engine(settings: Settings) -> Engine:
    """Who has the jobs done: the one place that chooses."""
    if settings.database_url is None:
        from mcp_enrichment.service.jobs.runner import Runner

        return Runner(concurrency=settings.concurrency)
    from mcp_enrichment.service.jobs.fleet import Fleet

    url = settings.database_url.get_secret_value()
    return Fleet(url, concurrency=settings.concurrency)
