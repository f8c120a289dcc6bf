"""The time to an answer on Postgres, relative to the embedded service, and while thousands of
lookups of another team wait. Requests call the service directly, without HTTP."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from bench.fleet_worker import CONCURRENCY, TakesAWhile
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
from mcp_enrichment.service.queue.procrastinate_worker import ProcrastinateWorkers
from mcp_enrichment.service.queue.sqlite_worker import SQLiteWorker
from mcp_enrichment.service.requests import submission
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

LOOKUPS = 200
APART = 0.1
THOUSANDS = 10_000
SINGLE = 40


async def answers(url: str, seconds: float) -> None:
    """Print p50 and p99 from a request to its final answer: one service accepts it and holds the
    answer, another one runs the job."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"embedded, SQLite": Path(folder) / "enrichment.db", "fleet, Postgres": url}
        for name, place in places.items():
            async with AsyncExitStack() as stack:
                alone = isinstance(place, Path)
                asked = await stack.enter_async_context(service(place, seconds, works=alone))
                if not alone:
                    await stack.enter_async_context(service(place, seconds, works=True))
                taken, held = await asked_one_after_the_other(asked, "answers", LOOKUPS)
            over = [(each - seconds) * 1000 for each in taken]
            p50, p99 = statistics.median(over), sorted(over)[int(len(over) * 0.99)]
            p95 = sorted(held)[int(len(held) * 0.95)] * 1000
            print(
                f"{name:17} p50 {p50:5.1f} ms, p99 {p99:5.1f} ms over the source's own time "
                f"(goal: p50 ≤ 30 ms); from its end to the held answer p95 {p95:5.1f} ms "
                "(goal: < 100 ms)"
            )


async def fairness(url: str, seconds: float) -> None:
    """Print how long one team's single requests take while another's thousands are worked on."""
    async with service(url, seconds, works=False) as asked:
        team_id = await team(asked, "thousands", THOUSANDS)
        async with anyio.create_task_group() as tasks:
            for share in range(8):
                tasks.start_soon(ask_many, asked, team_id, share)
        async with service(url, seconds, works=True):
            await anyio.sleep(2)
            taken, _ = await asked_one_after_the_other(asked, "single", SINGLE)
        left = (await asked.database.read(teams.credit_totals))["held"]
    p95 = sorted(taken)[int(len(taken) * 0.95)]
    print(
        f"one team's single request while {left:,} of another's {THOUSANDS:,} still wait: "
        f"p50 {statistics.median(taken):.2f} s, p95 {p95:.2f} s (goal: p95 < 2 s)"
    )


async def asked_one_after_the_other(
    asked: ServiceContext, name: str, many: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds from each request to its final answer, and from each completion to that answer."""
    team_id = await team(asked, name, many)
    taken: list[float] = []
    held: list[float] = []

    async def ask(number: int) -> None:
        url = f"https://www.linkedin.com/in/pat-{name}-{number:04}"
        wanted = EnrichmentRequest(linkedin_url=url, type=EmailType.WORK)
        began = time.perf_counter()
        accepted = await submission.accept(asked, team_id, wanted)
        ended = await submission.read(asked, team_id, accepted.request.id, wait=60)
        assert ended.completed_at is not None
        held.append(time.time() - ended.completed_at)
        taken.append(time.perf_counter() - began)

    async with anyio.create_task_group() as tasks:
        for number in range(many):
            tasks.start_soon(ask, number)
            await anyio.sleep(APART)
    return taken, held


async def ask_many(asked: ServiceContext, team_id: int, share: int) -> None:
    """Request an eighth of the thousands."""
    for number in range(share, THOUSANDS, 8):
        url = f"https://www.linkedin.com/in/pat-thousands-{number:06}"
        await submission.accept(
            asked, team_id, EnrichmentRequest(linkedin_url=url, type=EmailType.WORK)
        )


async def team(asked: ServiceContext, name: str, credits: int) -> int:  # noqa: A002
    """Add a team."""
    return await asked.database.write(lambda c: teams.add(c, name, credits, at=time.time()))


@asynccontextmanager
async def service(
    place: Path | str, seconds: float, *, works: bool
) -> AsyncIterator[ServiceContext]:
    """A service there; without `works` it accepts requests and holds answers, and runs no jobs."""
    policy = CallbackURLPolicy()
    if isinstance(place, Path):
        database, engine = open_sqlite(place), SQLiteWorker(concurrency=CONCURRENCY)
    else:
        database, engine = (
            open_postgres(place),
            ProcrastinateWorkers(place, concurrency=CONCURRENCY),
        )
    made = ServiceContext(
        database=database,
        sources=[TakesAWhile(seconds)],
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
        wake=engine.wake,
        lease_lookup=engine.lease_lookup,
        shutdown=GracefulShutdown(1),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.completion_waiter.watch)
        if works:
            tasks.start_soon(engine.run, made)
        yield made
        tasks.cancel_scope.cancel()
    database.close()
