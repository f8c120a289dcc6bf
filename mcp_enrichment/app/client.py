"""The composition root of the client: it joins the client with the service that settings name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.app.lazy import lazy
from mcp_enrichment.app.price import credit_price
from mcp_enrichment.app.service import embedded_service
from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import invalid_setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import Budget
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.settings import Settings

# Slow imports stand inside functions, so that the server starts without them.
# ruff: noqa: PLC0415

EMBEDDED_URL = "http://embedded.invalid"
"""Identifies the embedded service in the state file: a reserved name (RFC 2606)."""


@asynccontextmanager
async def connect() -> AsyncIterator[EnrichmentClient]:
    """Open a client of the service that the environment variables name: the embedded service, your
    team's, or the vendor's.

    Raises `Unauthorized` for a setting that is not valid.
    """
    from mcp_enrichment.app.preflight import check_settings
    from mcp_enrichment.settings import InvalidSettings, load_settings

    try:
        settings = load_settings()
    except InvalidSettings as error:
        raise Unauthorized(invalid_setting(str(error))) from None
    check_settings(settings)
    async with open_client(settings) as client:
        yield client


def lazy_client(
    settings: Settings,
) -> AbstractAsyncContextManager[Callable[[], Awaitable[EnrichmentClient]]]:
    """Yield a function that returns the client. Its first call opens it."""
    return lazy(partial(open_client, settings))


@asynccontextmanager
async def open_client(
    settings: Settings, *, webhooks: Webhooks | None = None
) -> AsyncIterator[EnrichmentClient]:
    """Open a client of the service that the settings name.

    `webhooks`: receives the webhooks of a service elsewhere.
    """
    # A keyring may prompt the user for longer than the caller waits.
    if await anyio.to_thread.run_sync(lambda: settings.is_embedded, abandon_on_cancel=True):
        async with (
            lazy(partial(embedded_service, settings)) as service,
            in_process_client(service, settings) as client,
        ):
            yield client
        return
    from mcp_enrichment.client.client import EnrichmentClient

    async with EnrichmentClient(
        settings.server_url,
        api_key=_api_key(settings),
        memory=settings.memory_file,
        keep=settings.memory_days * DAY,
        keep_misses=settings.miss_days * DAY,
        budget=_budget(settings),
        webhooks=webhooks,
        price=credit_price(settings),
    ) as client:
        yield client


def request_memory(settings: Settings) -> RequestStore:
    """The stored requests of the account that the settings name."""
    from mcp_enrichment.client.client import account_key
    from mcp_enrichment.client.state.requests import RequestStore

    account = (
        account_key(EMBEDDED_URL, None, settings.database_name)
        if settings.is_embedded
        else account_key(settings.server_url, _api_key(settings))
    )
    return RequestStore(settings.memory_file, account)


def in_process_client(
    get_service: Callable[[], Awaitable[tuple[ServiceContext, int]]],
    settings: Settings,
    *,
    team: str = "",
) -> EnrichmentClient:
    """A client of the service in this process. `get_service`: as for `InProcessApi`. `team`:
    identifies a team other than the embedded one."""
    from mcp_enrichment.app.in_process import InProcessApi
    from mcp_enrichment.client.client import EnrichmentClient

    return EnrichmentClient(
        EMBEDDED_URL,
        memory=settings.memory_file,
        api=InProcessApi(get_service),
        account=f"{settings.database_name}{team}",
        keep=settings.memory_days * DAY,
        budget=_budget(settings),
        price=credit_price(settings),
        supports_idempotency=True,
        # Contacts may be imported at any time, and another request is free without vendors.
        keep_misses=settings.miss_days * DAY if settings.vendor_keys else 0,
    )


def _budget(settings: Settings) -> Budget:
    from mcp_enrichment.client.state.spending import Budget

    return Budget(daily=settings.daily_budget, reserve=settings.reserve)


def _api_key(settings: Settings) -> str | None:
    return settings.key.key.get_secret_value() if settings.key else None
