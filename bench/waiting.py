"""The delay of an answer, and the number of requests for it, relative to other kinds of pollers.

All pollers wait at once for lookups of the same durations, on one server. Goals with a server that
does not hold answers: no other poller is better in both; the delay within 5 % of the lookup's age
or 0.25 s; at most 40 requests in the first minute. With one that holds: p95 under 0.1 s, at most 2
requests for a lookup under 45 s.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.polled_server import HOLDS, PolledServer, polled_server, profile
from mcp_enrichment.client.client import EnrichmentClient, account_key
from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

LOOKUPS = 24
LEARNED_FROM = 100
BEGIN_WITHIN = 30.0
"""Seconds: all waits run at once, but do not start in one burst."""
SHORTEST, LONGEST = 0.3, 120.0
HELD_LONGEST = 45.0
HELD_AT_ONCE = 8
PATIENCE = 200.0

DURATIONS = {
    "any order of size as likely": lambda chance: math.exp(
        chance.uniform(math.log(SHORTEST), math.log(LONGEST))
    ),
    "any second as likely": lambda chance: chance.uniform(SHORTEST, LONGEST),
}


@dataclass(frozen=True)
class PollResult:
    """The delay and the reads of one lookup."""

    took: float
    delay: float
    """Seconds from its completion to its answer."""
    reads: int

    @property
    def allowed(self) -> float:
        """The delay of the goal in seconds."""
        return max(0.25, 0.05 * self.took)


async def main() -> None:
    """Print the table of each distribution, and the figures of a server that holds."""
    async with polled_server() as server:
        tables = [measured(server, number, name) for number, name in enumerate(DURATIONS)]
        *told, held = await asyncio.gather(*tables, held_answers(server))
    for name, rows in zip(DURATIONS, told, strict=True):
        print(f"lookups of {SHORTEST} s to {LONGEST:.0f} s, {name}:")
        for who, found in rows.items():
            print(f"  {who:22} {line(found)}")
        taught = rows["ours, having learned"]
        better = [who for who, found in rows.items() if is_better(found, taught)]
        print(f"  better than ours in both: {', '.join(better) or 'none'}")
    delays = sorted(one.delay for one in held)
    p95, most = delays[int(len(delays) * 0.95)], max(one.reads for one in held)
    print(f"a server that holds: p95 {p95 * 1000:.0f} ms, at most {most} requests a lookup")


def line(found: Sequence[PollResult]) -> str:
    """The figures of one poller."""
    delays = sorted(one.delay for one in found)
    mean, p95 = statistics.mean(delays), delays[int(len(delays) * 0.95)]
    reads = statistics.mean(one.reads for one in found)
    share = statistics.mean(one.delay / one.allowed for one in found)
    return (
        f"delay mean {mean:5.2f} s, p95 {p95:5.2f} s, {share:4.2f} of what is allowed; "
        f"{reads:4.1f} requests a lookup"
    )


def is_better(found: Sequence[PollResult], ours: Sequence[PollResult]) -> bool:
    """Whether its mean delay is shorter, with fewer requests."""
    sooner = statistics.mean(t.delay for t in found) < statistics.mean(t.delay for t in ours)
    cheaper = statistics.mean(t.reads for t in found) < statistics.mean(t.reads for t in ours)
    return sooner and cheaper


async def measured(server: PolledServer, number: int, name: str) -> dict[str, list[PollResult]]:
    """Every poller's figures for lookups of this distribution."""
    chance = random.Random(number)  # noqa: S311 (the same in every run)
    took = [DURATIONS[name](chance) for _ in range(LOOKUPS)]
    before = [DURATIONS[name](chance) for _ in range(LEARNED_FROM)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=60))
        pollers = {
            "ours, having learned": await ours(stack, server, folder, f"taught{number}", before),
            "ours, new": await ours(stack, server, folder, f"new{number}", ()),
        }
        for seconds in (1, 2, 5):
            key = f"every{seconds}x{number}"
            pollers[f"every {seconds} s"] = simple(http, key, lambda s=seconds: itertools.repeat(s))
        pollers["exponential, times 2"] = simple(http, f"doubling{number}", doubling)
        told = await asyncio.gather(*(all_of(server, poll, took) for poll in pollers.values()))
        return dict(zip(pollers, told, strict=True))


async def all_of(
    server: PolledServer, poll: Callable[[str], Awaitable[str]], took: Sequence[float]
) -> list[PollResult]:
    """One poller's figures for lookups that begin a little apart."""

    async def one(number: int, seconds: float) -> PollResult:
        await asyncio.sleep(number * BEGIN_WITHIN / LOOKUPS)
        name = await poll(profile(f"pat-{number}", seconds))
        delay = time.monotonic() - server.ends[name]
        return PollResult(took=seconds, delay=delay, reads=server.reads[name])

    return await asyncio.gather(*(one(*each) for each in enumerate(took)))


async def ours(
    stack: AsyncExitStack,
    server: PolledServer,
    folder: Path,
    key: str,
    learned: Sequence[float],
) -> Callable[[str], Awaitable[str]]:
    """Our client, whose state file holds the durations of earlier lookups."""
    memory = folder / f"{key}.db"
    if learned:
        async with EnrichmentClient(server.url, api_key=key, memory=memory) as first:
            await first.wait([], 0)  # creates the file
        with closing(sqlite3.connect(memory)) as db, db:
            account = account_key(server.url, key)
            rows = [(account, seconds) for seconds in learned]
            db.executemany("INSERT INTO durations (account, seconds) VALUES (?, ?)", rows)
    client = EnrichmentClient(server.url, api_key=key, memory=memory)
    await stack.enter_async_context(client)

    async def poll(url: str) -> str:
        return (await client.request(url, EmailType.WORK, wait=PATIENCE)).id

    return poll


def simple(
    http: httpx.AsyncClient, key: str, pauses: Callable[[], Iterator[float]]
) -> Callable[[str], Awaitable[str]]:
    """A simple poller: read, then read again after each pause."""

    async def poll(url: str) -> str:
        body = {"linkedin_url": url, "type": "work"}
        headers = {"x-api-key": key}
        name = str((await http.post(ENRICHMENTS, json=body, headers=headers)).json()["_id"])
        for pause in pauses():
            await asyncio.sleep(pause)
            told = (await http.get(f"{ENRICHMENTS}/{name}", headers=headers)).json()
            if told["status"] == "completed":
                break
        return name

    return poll


def doubling() -> Iterator[float]:
    """Half a second, then each pause twice the previous one."""
    return (0.5 * 2**number for number in itertools.count())


async def held_answers(server: PolledServer) -> list[PollResult]:
    """Our client with a server that holds answers, with as many lookups at once as are held."""
    chance = random.Random(7)  # noqa: S311 (the same in every run)
    took = [chance.uniform(SHORTEST, HELD_LONGEST) for _ in range(HELD_AT_ONCE * 5)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        poll = await ours(stack, server, folder, HOLDS, ())
        told = []
        for first in range(0, len(took), HELD_AT_ONCE):
            told += await all_of(server, poll, took[first : first + HELD_AT_ONCE])
    return told


if __name__ == "__main__":
    asyncio.run(main())
