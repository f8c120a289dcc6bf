"""A process that requests a list, and prints its peak memory in bytes after some numbers of rows.

Run it with `python -m bench.list_memory URL FOLDER ROWS ...`.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import anyio

from bench.list_service import profile
from mcp_enrichment.client.client import EnrichmentClient


async def main(url: str, folder: str, *marks: str) -> None:
    """Request a list of the highest number of rows, and keep no row."""
    left = sorted(map(int, marks))
    urls = (profile("memory", number) for number in range(left[-1]))
    answered = 0
    async with EnrichmentClient(url, api_key="a-key", memory=Path(folder) / "memory.db") as client:
        async for row in client.enrich_many(urls, "work"):
            answered += row.result is not None
            if answered == left[0]:
                print(left.pop(0), peak(), flush=True)
    assert not left


def peak() -> int:
    """The peak memory. On Linux `ru_maxrss` would include that of the parent process."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        found = re.search(r"VmHWM:\s+([0-9]+) kB", status)
        assert found
        return int(found[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
