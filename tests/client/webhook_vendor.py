"""Helpers of the webhook tests: the token of a callback URL, and a client that waits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client import poll_schedule
from mcp_enrichment.client.webhooks import Webhooks, WebhookStore
from tests.support.running_service import until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.support.scripted_server import ScriptedServer

LESS_THAN_A_PAUSE = poll_schedule.WEBHOOK_POLL_INTERVAL - 10
"""Seconds of a wait that ends before the safety poll for a lost webhook."""
URL = "https://mcp.example/pushes"


def new_webhooks(folder: Path) -> Webhooks:
    return Webhooks(url=URL, secret=b"s" * 32, file=WebhookStore(folder / "pushes.db"))


def token(vendor: ScriptedServer, number: int = -1) -> str:
    """The token of the callback URL in a POST."""
    address = vendor.posts[number].json["callback_url"]
    assert address.startswith(f"{URL}/")
    return str(address.removeprefix(f"{URL}/"))


@asynccontextmanager
async def waiting(
    client: EnrichmentClient, enrichment_id: str = "e1"
) -> AsyncIterator[list[EnrichmentResult]]:
    """A client waits during the block; the list has the answer once the block is over."""
    answers: list[EnrichmentResult] = []

    async def wait() -> None:
        answers.extend(await client.wait([enrichment_id], LESS_THAN_A_PAUSE))

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until(lambda: bool(client._poller._running))
            yield answers
