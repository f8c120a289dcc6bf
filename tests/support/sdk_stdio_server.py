"""Our server over the SDK's own transport, for comparison with ours."""

from __future__ import annotations

import anyio
from mcp.server.stdio import stdio_server

from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.settings import Settings


async def main() -> None:
    async with lazy_client(Settings()) as client, stdio_server() as streams:
        server = create_server(client)
        await server.run(*streams, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
