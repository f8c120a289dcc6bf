"""A stream of server-sent events: each write to the database sends one, and open pages reload."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import anyio
from starlette.responses import StreamingResponse

from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two checks of the database. A page reloads at most this often."""
KEEP_OPEN = 20.0
"""Seconds after which a comment shows proxies that the stream is open."""


async def live(visit: Visit) -> Response:
    """The stream of a browser. It ends with the session and with the process."""
    headers = {"X-Accel-Buffering": "no"}  # nginx would hold the events back
    return StreamingResponse(_until_failure(visit), media_type="text/event-stream", headers=headers)


async def _until_failure(visit: Visit) -> AsyncIterator[str]:
    """The events. If the database fails the stream ends, and the browser opens another."""
    try:
        async for event in _events(visit):
            yield event
    except StorageFailed as failure:
        logger.warning("a live stream ended: %s", failure.fault)


async def _events(visit: Visit) -> AsyncIterator[str]:
    console, database = visit.console, visit.console.service.database
    seen, spoke = await database.last_change(), time.monotonic()
    yield "retry: 5000\n\n"
    while not console.is_over.is_set():
        with anyio.move_on_after(LOOK_EVERY):
            await console.is_over.wait()
        now = await database.last_change()
        if now == seen and time.monotonic() - spoke < KEEP_OPEN:
            continue
        if not await console.is_signed_in(visit.session):
            return
        yield ": open\n\n" if now == seen else "event: change\ndata:\n\n"
        seen, spoke = now, time.monotonic()
