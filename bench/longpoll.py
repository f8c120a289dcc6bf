"""From the end of a lookup to the answer of a GET that was held for it.

Half of the GETs are held by the service that ends the lookup, half by another one over the same
file, which learns of the end from the database alone. Goals: p95 under 50 ms, and under 300 ms.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.service.domain import requests, teams
from mcp_enrichment.service.domain.addresses import CallbackRules
from mcp_enrichment.service.domain.finals import Finals
from mcp_enrichment.service.domain.service import Service
from mcp_enrichment.service.jobs.runner import Runner
from mcp_enrichment.service.jobs.sender import CallbackSender
from mcp_enrichment.service.sources.port import Miss
from mcp_enrichment.service.store.database import open_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOKUPS = 300
LOOKUP_SECONDS = 0.3
GOALS = {"same service": 50, "another service": 300}


class TakesAWhile:
    """A source whose lookups last long enough for both GETs to be held."""

    name = "slow"

    async def find(self, _profile: str, _kind: EmailType) -> Miss:
        """A miss, after `LOOKUP_SECONDS`."""
        await anyio.sleep(LOOKUP_SECONDS)
        return Miss()


async def main() -> None:
    """Print p50 and p95 for both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "enrichment.db"
        async with AsyncExitStack() as stack:
            working = await stack.enter_async_context(service(path, works=True))
            watching = await stack.enter_async_context(service(path, works=False))
            taken = await held_by(working, {"same service": working, "another service": watching})
    for name, delays in taken.items():
        p50, p95 = (sorted(delays)[int(len(delays) * share)] * 1000 for share in (0.5, 0.95))
        print(f"{name:16} p50 {p50:5.1f} ms, p95 {p95:5.1f} ms (goal: p95 ≤ {GOALS[name]} ms)")


async def held_by(working: Service, holders: dict[str, Service]) -> dict[str, list[float]]:
    """The delays of each holder, over lookups that begin one after the other."""
    team_id = await working.database.write(lambda c: teams.add(c, "bench", LOOKUPS, at=time.time()))
    taken: dict[str, list[float]] = {name: [] for name in holders}

    async def hold(name: str, request_id: str) -> None:
        ended = await requests.read(holders[name], team_id, request_id, wait=30)
        assert ended.ended_at is not None
        taken[name].append(time.time() - ended.ended_at)

    async with anyio.create_task_group() as tasks:
        for number in range(LOOKUPS):
            url = f"https://www.linkedin.com/in/pat-example-{number:04}"
            asked = EnrichmentRequest(linkedin_url=url, type=EmailType.WORK)
            accepted = await requests.accept(working, team_id, asked)
            for name in holders:
                tasks.start_soon(hold, name, accepted.request.id)
            await anyio.sleep(0.02)
    return taken


@asynccontextmanager
async def service(path: Path, *, works: bool) -> AsyncIterator[Service]:
    """A service over the file; one that does not work only holds GETs."""
    database, rules, runner = open_sqlite(path), CallbackRules(), Runner()
    made = Service(
        database=database,
        sources=[TakesAWhile()],
        sender=CallbackSender(rules),
        callback_rules=rules,
        finals=Finals(database),
        wake=runner.wake,
    )
    async with anyio.create_task_group() as tasks:
        if works:
            tasks.start_soon(runner.run, made)
        tasks.start_soon(made.finals.watch)
        yield made
        tasks.cancel_scope.cancel()
    database.close()


if __name__ == "__main__":
    anyio.run(main)
