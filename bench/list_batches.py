"""Lists in batches beside lists of single POSTs, at our service in its own process: `[ROWS ...]`.

Medians of three rounds in turn, for lists whose rows are only accepted, and for lists whose rows
are answered, by sources that answer at once: the seconds, the POSTs, and the commits of the state
file of the client.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import httpx

from bench.list_service import profile
from bench.service_load import service
from bench.stored import prepare
from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.lists import MAX_OPEN
from mcp_enrichment.contract.http import BATCH_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = (100, 1000)
ROUNDS = 3
_batches = itertools.count()


class Transport(httpx.AsyncHTTPTransport):
    """Counts POSTs. Without `tells`, the client does not learn that the service takes batches."""

    def __init__(self, *, tells: bool) -> None:
        super().__init__()
        self.posts = 0
        self._tells = tells

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.posts += request.method == "POST"
        if not self._tells:
            del response.headers[BATCH_LIMIT]
        return response


class Figures(NamedTuple):
    """The time, POSTs and commits of one list."""

    seconds: float
    posts: int
    commits: int


async def main(*lengths: int) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as folder:
        key = prepare(Path(folder), 0)
        with service(Path(folder)) as port:
            await compare(f"http://127.0.0.1:{port}", key, lengths or LENGTHS)


async def compare(url: str, key: str, lengths: Sequence[int]) -> None:
    """Print the medians for each length, in batches and alone, and their ratio."""
    for length, until in itertools.product(lengths, ("accepted", "answered")):
        runs = [
            [await run_list(url, key, length, until, batches=batches) for batches in (True, False)]
            for _ in range(ROUNDS)
        ]
        batches, alone = (medians(list(one)) for one in zip(*runs, strict=True))
        print(
            f"{length} rows {until} in batches: {told(batches)}; alone: {told(alone)}; "
            f"{alone.seconds / batches.seconds:.1f} times as fast"
        )


async def run_list(url: str, key: str, length: int, until: str, *, batches: bool) -> Figures:
    """Request a list of new profiles, and wait for their answers if these are asked for."""
    transport = Transport(tells=batches)
    urls = [profile(f"batch{next(_batches)}", number) for number in range(length)]
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "memory.db"
        async with EnrichmentClient(
            url, api_key=key, memory=memory, transport=transport, supports_idempotency=True
        ) as client:
            await client.credits()
            commits = count_commits(client)
            began = time.perf_counter()
            if until == "answered":
                rows = [row async for row in client.enrich_many(urls, "work")]
                assert all(row.result and row.result.is_final for row in rows)
            else:
                await submit(client, urls)
            return Figures(time.perf_counter() - began, transport.posts, len(commits))


async def submit(client: EnrichmentClient, urls: Sequence[str]) -> None:
    """Request the list in parts, without waiting for answers."""
    for first in range(0, len(urls), MAX_OPEN):
        part = urls[first : first + MAX_OPEN]
        rows = [row async for row in client.enrich_many(part, "work", wait=0)]
        assert all(row.result for row in rows)


def told(figures: Figures) -> str:
    """The figures as text."""
    return f"{figures.seconds:.2f} s, {figures.posts} POSTs, {figures.commits} commits"


def count_commits(client: EnrichmentClient) -> list[object]:
    """The transactions of its state file from now on."""
    begun: list[object] = []
    file = client._store._file
    write = file._write
    file._write = lambda work: begun.append(work) or write(work)  # type: ignore[method-assign]
    return begun


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return Figures(*map(statistics.median, zip(*runs, strict=True)))


if __name__ == "__main__":
    anyio.run(main, *map(int, sys.argv[1:]))
