"""A worker of the fleet benchmark: `ours URL SECONDS`, whose source takes so long; or `bare URL
SECONDS`, procrastinate alone, whose jobs take so long and do nothing."""

from __future__ import annotations

import sys

import anyio
from procrastinate import App, PsycopgConnector

from mcp_enrichment.service.domain.addresses import CallbackRules
from mcp_enrichment.service.domain.finals import Finals
from mcp_enrichment.service.domain.service import Service
from mcp_enrichment.service.jobs.fleet import Fleet
from mcp_enrichment.service.jobs.sender import CallbackSender
from mcp_enrichment.service.sources.port import Hit
from mcp_enrichment.service.store.postgres import open_postgres

CONCURRENCY = 100


class TakesAWhile:
    """A source that takes as long as a vendor may."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def find(self, _profile: str, _kind: object) -> Hit:
        """A hit, after so many seconds."""
        await anyio.sleep(self._seconds)
        return Hit(email="pat@example.com")


async def ours(url: str, seconds: str) -> None:
    """What `mcp-enrichment worker` runs, with that source."""
    database, rules = open_postgres(url), CallbackRules()
    service = Service(
        database=database,
        sources=[TakesAWhile(float(seconds))],
        sender=CallbackSender(rules),
        callback_rules=rules,
        finals=Finals(database),
    )
    await Fleet(url, concurrency=CONCURRENCY).run(service)


async def bare(url: str, seconds: str) -> None:
    """The engine alone, as it comes."""
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="nothing")
    async def nothing(**_what: object) -> None:
        await anyio.sleep(float(seconds))

    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="always")


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    anyio.run({"ours": ours, "bare": bare}[kind], *arguments)
