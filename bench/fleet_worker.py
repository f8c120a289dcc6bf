"""A worker of the fleet benchmark. `ours URL SECONDS`: our worker with a source that takes this
long. `bare URL SECONDS`: procrastinate alone, with jobs that take this long and do nothing."""

from __future__ import annotations

import sys

import anyio
from procrastinate import App, PsycopgConnector

from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.queue.procrastinate_worker import ProcrastinateWorkers
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Hit

CONCURRENCY = 100


class TakesAWhile:
    """A source that takes as long as a vendor may."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def find(self, _profile: str, _kind: object) -> Hit:
        """Return a hit after the seconds."""
        await anyio.sleep(self._seconds)
        return Hit(email="pat@example.com")


async def ours(url: str, seconds: str) -> None:
    """Run what `mcp-enrichment worker` runs, with that source."""
    database, policy = open_postgres(url), CallbackURLPolicy()
    service = ServiceContext(
        database=database,
        sources=[TakesAWhile(float(seconds))],
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
    )
    await ProcrastinateWorkers(url, concurrency=CONCURRENCY).run(service)


async def bare(url: str, seconds: str) -> None:
    """Run the engine alone, with its defaults."""
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="nothing")
    async def nothing(**_what: object) -> None:
        await anyio.sleep(float(seconds))

    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="always")


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    anyio.run({"ours": ours, "bare": bare}[kind], *arguments)
