"""A server whose first call prints, lets a child process print, and reads from stdin."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.errors import ServiceUnavailable
from mcp_enrichment.mcp.server import serve

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient


async def noisily() -> EnrichmentClient:
    print("printed before its child")
    print("printed and flushed", flush=True)
    await anyio.run_process(["echo", "printed by a child"], stdout=None)
    os.write(1, b"printed below Python\n")
    print(f"read {sys.stdin.read()!r}")
    raise ServiceUnavailable


if __name__ == "__main__":
    anyio.run(serve, noisily)
