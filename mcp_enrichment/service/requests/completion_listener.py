"""On Postgres: hears by LISTEN/NOTIFY of requests that end in any process."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import psycopg

from mcp_enrichment.service.db.postgres import NETWORK

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

logger = logging.getLogger(__name__)

CHANNEL = "request_completed"
"""As the trigger of the migration has it."""
RECONNECT_EVERY = 0.5
"""Seconds between two tries to listen while the database is away."""


async def listen_for_completions(url: str) -> AsyncGenerator[str | None, None]:
    """The ids of requests as they end, for ever; None where some may have ended unheard."""
    is_told = False
    while True:
        try:
            async with _connected(url) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                is_told = False
                yield None
                async for notice in connection.notifies():
                    yield notice.payload
        except psycopg.OperationalError:
            if not is_told:
                logger.warning("the database tells of no ends; they are looked for meanwhile")
            is_told = True
        await anyio.sleep(RECONNECT_EVERY)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, application_name="mcp-enrichment-ends", **NETWORK
    )
    try:
        yield connection
    finally:
        # Its own way to end would say more to the server first, which nobody who is cancelled can.
        with anyio.CancelScope(shield=True):
            await connection.close()
