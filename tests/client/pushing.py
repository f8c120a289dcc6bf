"""What tests of pushes share: the addresses that were given, and somebody who waits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client import retry
from mcp_enrichment.client.push_file import PushFile
from mcp_enrichment.client.pushes import Pushes
from tests.support.serving import until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_enrichment.client.answer import Answer
    from mcp_enrichment.client.client import EnrichmentClient
    from tests.support.far_end import FarEnd

LESS_THAN_A_PAUSE = retry.PUSHED_PAUSE - 10
"""Seconds of a wait that ends before the poll for a push that was lost."""
URL = "https://mcp.example/pushes"


def new_pushes(folder: Path) -> Pushes:
    return Pushes(url=URL, secret=b"s" * 32, file=PushFile(folder / "pushes.db"))


def token(vendor: FarEnd, number: int = -1) -> str:
    """The token of the address that a POST gave."""
    address = vendor.posts[number].json["callback_url"]
    assert address.startswith(f"{URL}/")
    return str(address.removeprefix(f"{URL}/"))


@asynccontextmanager
async def waiting(
    client: EnrichmentClient, enrichment_id: str = "e1"
) -> AsyncIterator[list[Answer]]:
    """Somebody waits; the list has the answer once the block is over."""
    answers: list[Answer] = []

    async def wait() -> None:
        answers.extend(await client.wait([enrichment_id], LESS_THAN_A_PAUSE))

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until(lambda: not client._polls.are_idle())
            yield answers
