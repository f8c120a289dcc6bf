"""The composition root: the only place that knows both halves, and joins them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.app.lazy import lazy
from mcp_enrichment.app.service import DAY, embedded_service
from mcp_enrichment.contract.errors import InternalError, StorageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import Budget
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.settings import Settings

# What is imported inside a function costs more than the whole start of the server may take; the
# first call that needs it pays for it.
# ruff: noqa: PLC0415

EMBEDDED_URL = "http://embedded.invalid"
"""Never resolved: the in-process transport answers it. RFC 2606 keeps the name from anybody."""


@asynccontextmanager
async def lazy_client(
    settings: Settings,
) -> AsyncIterator[Callable[[], Awaitable[EnrichmentClient]]]:
    """Yields a function that gives the client; before its first call nothing is opened."""
    async with lazy(lambda: connect(settings)) as client:
        yield client


@asynccontextmanager
async def connect(
    settings: Settings, *, pushes: Webhooks | None = None
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
        api_key=_api_key(settings),
        memory=settings.memory_file,
        keep=settings.memory_days * DAY,
        keep_misses=settings.miss_days * DAY,
        budget=_budget(settings),
        webhooks=pushes,
    ) as client:
        yield client


def request_memory(settings: Settings) -> RequestStore:
    """What was asked on the account that the settings name."""
    from mcp_enrichment.client.client import account_key
    from mcp_enrichment.client.state.requests import RequestStore

    account = (
        account_key(EMBEDDED_URL, None, settings.database_name)
        if settings.is_embedded
        else account_key(settings.server_url, _api_key(settings))
    )
    return RequestStore(settings.memory_file, account)


@asynccontextmanager
async def _embedded_client(settings: Settings) -> AsyncIterator[EnrichmentClient]:
    async with (
        lazy(partial(embedded_service, settings)) as service,
        in_process_client(_lazy_app(service), settings) as client,
    ):
        yield client


def in_process_client(app: ASGIApp, settings: Settings, *, team: str = "") -> EnrichmentClient:
    """A client of the service in this process. `team`: tells others from the embedded one."""
    import httpx

    from mcp_enrichment.client.client import EnrichmentClient

    return EnrichmentClient(
        EMBEDDED_URL,
        memory=settings.memory_file,
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        account=f"{settings.database_name}{team}",
        keep=settings.memory_days * DAY,
        budget=_budget(settings),
        supports_idempotency=True,
        # Contacts may be imported at any minute, and asking again costs nothing, but for vendors.
        keep_misses=settings.miss_days * DAY if settings.vendor_keys else 0,
    )


def _budget(settings: Settings) -> Budget:
    from mcp_enrichment.client.state.spending import Budget

    return Budget(daily=settings.daily_budget, reserve=settings.reserve)


def _api_key(settings: Settings) -> str | None:
    return settings.key.key.get_secret_value() if settings.key else None


def _lazy_app(service: Callable[[], Awaitable[ASGIApp]]) -> ASGIApp:
    """An application that opens the service at its first request, or tells why it cannot."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        from mcp_enrichment.service.http.errors import error_response

        try:
            opened = await service()
        except StorageFailed as failure:
            await error_response(failure)(scope, receive, send)
        except Exception:  # noqa: BLE001 (it is logged where it was raised, and nothing was begun)
            await error_response(InternalError())(scope, receive, send)
        else:
            await opened(scope, receive, send)

    return app
