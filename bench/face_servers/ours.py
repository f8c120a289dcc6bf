"""Our server over our transports: `[asks] [http PORT]`.

With `asks` it calls a scripted service through the real client; without it, its client returns a
constant. Over HTTP it runs all the checks that the command runs before the protocol.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mcp_enrichment.cli.garbage_collection import GC_THRESHOLDS, frozen_imports

with frozen_imports():  # as the command does
    import anyio

    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.mcp.server import create_server, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.scoped import GetClient


PURSE = CreditsView(balance=250, spent_today=0, left=None)


class Knowing:
    """The part of the client that get_credits calls."""

    async def credits(self) -> CreditsView:
        """Return a constant."""
        return PURSE


@asynccontextmanager
async def client_used() -> AsyncIterator[GetClient]:
    """The client that the arguments select."""
    async with AsyncExitStack() as stack:
        client = cast("EnrichmentClient", Knowing())
        if "asks" in sys.argv:
            client = await stack.enter_async_context(asking(stack))

        async def get_client() -> EnrichmentClient:
            return client

        yield get_client


def asking(stack: AsyncExitStack) -> EnrichmentClient:
    """The real client over a scripted connection."""
    from bench.face_servers.scripted import URL, Scripted
    from mcp_enrichment.client.client import EnrichmentClient

    memory = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "memory.db"
    return EnrichmentClient(URL, memory=memory, transport=Scripted())


async def main() -> None:
    """Serve until stdin is closed or a signal arrives."""
    async with client_used() as get_client:
        if "http" in sys.argv:
            await serve_http(get_client, int(sys.argv[-1]))
        else:
            await serve(get_client)


async def serve_http(get_client: GetClient, port: int) -> None:
    """Serve every client that connects."""
    with frozen_imports():
        from mcp_enrichment.cli.http_server import listening_socket, serve_app
        from mcp_enrichment.mcp.http.allowed_hosts import allowed_hosts
        from mcp_enrichment.mcp.http.app import HTTPConfig, http_app
        from mcp_enrichment.mcp.http.auth.authenticator import Authenticator, Challenges
        from mcp_enrichment.service.http.rate_limit import RateLimit
        from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown

    gc.set_threshold(*GC_THRESHOLDS)

    async def no_team(_key: str) -> None:
        return None

    site = HTTPConfig(
        names=allowed_hosts("127.0.0.1", port),
        authenticator=Authenticator(
            challenges=Challenges(), team_of=no_team, tokens=None, open_to_all=True
        ),
        limit=RateLimit(quota=1_000_000, clock=time.monotonic),
    )
    server = create_server(get_client, keeps_connections=False)
    with listening_socket("127.0.0.1", port) as listening:
        async with http_app(server, site) as app:
            await serve_app(app, GracefulShutdown(), listening, "Serving")


if __name__ == "__main__":
    anyio.run(main)
