"""The composition root of the console: for a team's operators, and for one person on loopback."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING

from mcp_enrichment.app.client import request_memory
from mcp_enrichment.app.service import database, running_service, shared_secret
from mcp_enrichment.console.console import Console, Facts
from mcp_enrichment.console.neighbours import is_of_this_user
from mcp_enrichment.console.routes import routes
from mcp_enrichment.console.sessions import Sessions
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.rate_limit import RateLimit
from mcp_enrichment.service.http.service_app import ServiceApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from starlette.types import ASGIApp

    from mcp_enrichment.console.console import Finding
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.settings import Settings

    Examine = Callable[[Settings], Sequence[Finding]]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def service_app(
    settings: Settings, examine: Examine, *, jobs: bool = True
) -> AsyncIterator[tuple[ASGIApp, GracefulShutdown]]:
    """The service for callers with keys, with the console for operators, and its shutdown, which
    ends held responses.

    `examine`: the checks of the doctor. Without `jobs`, other processes run the jobs. Raises
    `StorageFailed`.
    """
    secret = _session_secret(settings)
    async with (
        database(settings) as opened,
        running_service(settings, opened, jobs=jobs) as service,
    ):
        limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
        console = _console(settings, service, examine, secret)
        app = create_app(
            service, rate_limit=limit, metrics=settings.metrics, further=routes(console)
        )
        service.shutdown.on_begin(service.completion_waiter.release_waiters)
        async with console.uploads:
            yield app, service.shutdown


@asynccontextmanager
async def local_console(
    settings: Settings, examine: Examine
) -> AsyncIterator[tuple[ASGIApp, GracefulShutdown, str]]:
    """The console for the person at this machine, its shutdown, and the token that opens it. No job
    is run, so looking costs no credit. Raises `StorageFailed`."""
    async with (
        database(settings) as opened,
        running_service(settings, opened, jobs=False, watch_completions=False) as service,
    ):
        await opened.write(partial(embedded_team, at=time.time()))
        secret = secrets.token_bytes(32)
        console = _console(settings, service, examine, secret, is_local=True)
        console.admits = is_of_this_user
        app = ServiceApp(routes(console), service, None)
        async with console.uploads:
            yield app, service.shutdown, console.link_token


def _session_secret(settings: Settings) -> bytes:
    """The secret that the processes share; one of this process if it can write no file."""
    try:
        return shared_secret(settings)
    except StorageFailed as failure:
        logger.warning(
            "sessions of the console end with this process, as no secret can be kept (%s); "
            "ENRICHMENT_HTTP_SECRET sets one",
            failure.fault,
        )
        return secrets.token_bytes(32)


def _console(
    settings: Settings,
    service: ServiceContext,
    examine: Examine,
    secret: bytes,
    *,
    is_local: bool = False,
) -> Console:
    facts = Facts(
        sources=settings.sources,
        prices=settings.prices,
        currency=settings.currency,
        daily_budget=settings.daily_budget,
    )
    return Console(
        service=service,
        sessions=Sessions(secret, service.clock),
        sign_in_limit=RateLimit(quota=settings.rate_limit, clock=time.monotonic),
        facts=facts,
        examine=lambda: examine(settings),
        forget=partial(_forget, settings),
        is_local=is_local,
    )


async def _forget(settings: Settings, profiles: Collection[str]) -> int:
    if not settings.memory_file.exists():
        return 0
    with closing(request_memory(settings)) as store:
        return await store.forget_profiles(profiles)
