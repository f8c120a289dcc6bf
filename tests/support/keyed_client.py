"""Clients of a team's service over HTTP, each with an API key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.http.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.running_service import RunningService


async def create_key(it: RunningService, team: str, *, credits: int = 10) -> str:  # noqa: A002
    """A new key of a team, which is added if no team has that name."""

    def make(connection: Any) -> str:
        if teams.id_of(connection, team) is None:
            teams.add(connection, team, credits, at=it.service.clock())
        return api_keys.create(connection, team, at=it.service.clock()).key

    return await it.service.database.write(make)


@asynccontextmanager
async def keyed_client(
    it: RunningService, key: str | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's app; `options` are those of `create_app`."""
    app = create_app(it.service, **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"x-api-key": key} if key else {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://it", headers=headers
    ) as http:
        yield http
