"""A service over a database file, with lookups that last a moment: `FILE works|holds PORT`.

With `holds` it runs no jobs, and learns of outcomes from the database alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import uvicorn

from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.h11_protocol import BoundedProtocol
from mcp_enrichment.service.queue.sqlite_worker import SQLiteWorker
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Miss

LOOKUP_SECONDS = 0.3


class TakesAWhile:
    """A source whose lookups last long enough for all GETs to be held."""

    name = "slow"

    async def find(self, _profile: str, _kind: object) -> Miss:
        """Return a miss after `LOOKUP_SECONDS`."""
        await anyio.sleep(LOOKUP_SECONDS)
        return Miss()


async def serve(file: Path, port: int, *, works: bool) -> None:
    """Serve until a signal."""
    database, policy, runner = open_sqlite(file), CallbackURLPolicy(), SQLiteWorker()
    service = ServiceContext(
        database=database,
        sources=[TakesAWhile()],
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
        wake=runner.wake,
    )
    app = create_app(service)
    config = uvicorn.Config(app, http=BoundedProtocol, port=port, log_config=None, access_log=False)
    async with anyio.create_task_group() as tasks:
        if works:
            tasks.start_soon(runner.run, service)
        tasks.start_soon(service.completion_waiter.watch)
        await uvicorn.Server(config).serve()
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(lambda: serve(Path(sys.argv[1]), int(sys.argv[3]), works=sys.argv[2] == "works"))
