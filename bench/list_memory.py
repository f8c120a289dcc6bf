"""A process that requests a list of this length, and prints its peak memory: `URL FOLDER ROWS`."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import anyio

from bench.list_service import profile
from mcp_enrichment.client.client import EnrichmentClient


async def main(url: str, folder: str, count: str) -> None:
    """Request the list, and keep no row."""
    urls = (profile(f"memory{count}", number) for number in range(int(count)))
    answered = 0
    async with EnrichmentClient(url, api_key="a-key", memory=Path(folder) / "memory.db") as client:
        async for row in client.enrich_many(urls, "work"):
            answered += row.result is not None
    assert answered == int(count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak if sys.platform == "darwin" else peak * 1024)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
