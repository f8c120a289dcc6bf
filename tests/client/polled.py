"""The state of a client's polls, for tests that let time pass after a poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.running_service import until

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient


async def until_answered(client: EnrichmentClient, *ids: str) -> None:
    """Wait until each of these requests was read and is still waited for."""
    running = client._poller._running
    await until(lambda: all(one in running and running[one].last for one in ids))


async def until_failed(client: EnrichmentClient, enrichment_id: str) -> None:
    """Wait until a read of this request has failed while it is still waited for."""
    running = client._poller._running
    await until(lambda: enrichment_id in running and running[enrichment_id].failures > 0)
