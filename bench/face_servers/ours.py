"""Our server over our transport. With `asks` it asks a scripted service through the real client,
without it a client that knows the answer."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mcp_enrichment.cli.imports import imported_for_good

with imported_for_good():  # as the command does
    import anyio

    from mcp_enrichment.client.spending import Purse
    from mcp_enrichment.mcp.server import serve

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient


PURSE = Purse(balance=250, spent_today=0, left=None)


class Knowing:
    """The part of the client that get_credits calls."""

    async def credits(self) -> Purse:
        """A constant."""
        return PURSE


async def main() -> None:
    """Serve until stdin is closed."""
    if sys.argv[1:] == ["asks"]:
        await serve_asking()
        return
    client = cast("EnrichmentClient", Knowing())

    async def get_client() -> EnrichmentClient:
        return client

    await serve(get_client)


async def serve_asking() -> None:
    """Serve with the real client over a scripted connection."""
    from bench.face_servers.scripted import URL, Scripted
    from mcp_enrichment.client.client import EnrichmentClient

    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "memory.db"
        async with EnrichmentClient(URL, memory=memory, transport=Scripted()) as client:

            async def get_client() -> EnrichmentClient:
                return client

            await serve(get_client)


if __name__ == "__main__":
    anyio.run(main)
