"""Lists beside single requests: `[LOOKUP_SECONDS [ROWS ...]]`.

Wall time of `enrich_many` and of the tool `request_email_enrichments` (100 profiles a call)
against a service in its own process whose lookups take 2 s. One request after the other is measured
on ten profiles and scaled. Goal: at least 5 times faster. Then the bytes of text that a model reads
for a profile, two thirds of which are hits: goal at most a fifth of single calls. Last the peak
memory of a process after 1,000, 10,000 and 100,000 rows of one list, or the numbers that are given,
against a service that answers at once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from mcp.types import TextContent

from bench.context import connected
from bench.list_service import profile
from bench.processes import process
from mcp_enrichment.client.client import EnrichmentClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp import Client

LOOKUP_SECONDS = 2.0
LENGTHS = (100, 1000)
SINGLE = 10
"""Profiles that are requested one after the other."""
A_CALL = 100
"""Profiles of one call of the tool."""
MEMORY_LENGTHS = ("1000", "10000", "100000")


class Called(NamedTuple):
    """Calls of tools for some profiles."""

    seconds: float
    bytes_a_profile: float


async def main(lookup_seconds: str = str(LOOKUP_SECONDS), *lengths: str) -> None:
    """Print all figures."""
    with process(["-m", "bench.list_service", lookup_seconds]) as port:
        url = f"http://127.0.0.1:{port}"
        await compare_library(url)
        await compare_tools(url)
    with process(["-m", "bench.list_service", "0"]) as port:
        report_memory(f"http://127.0.0.1:{port}", lengths or MEMORY_LENGTHS)


async def compare_library(url: str) -> None:
    """Print the wall time of the library's lists beside that of its single requests."""
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "memory.db"
        async with EnrichmentClient(url, api_key="library", memory=memory) as client:
            began = time.perf_counter()
            for one in profiles("single", SINGLE):
                assert (await client.request(one, "work", wait=60)).is_final
            single = (time.perf_counter() - began) / SINGLE
            for length in LENGTHS:
                began = time.perf_counter()
                urls = profiles(f"many{length}", length)
                rows = [row async for row in client.enrich_many(urls, "work")]
                assert all(row.result and row.result.is_final for row in rows)
                report("enrich_many", length, time.perf_counter() - began, single * length)


async def compare_tools(url: str) -> None:
    """Print the wall time and the bytes of the tool for lists beside those of single calls."""
    async with connected(url, "tools") as client:
        single = await call_one_by_one(client)
        for length in LENGTHS:
            many = await call_with_lists(client, length)
            name = f"request_email_enrichments, {A_CALL} a call"
            report(name, length, many.seconds, single.seconds / SINGLE * length)
            ratio = many.bytes_a_profile / single.bytes_a_profile
            print(
                f"  a model reads {many.bytes_a_profile:.0f} bytes a profile, of single calls "
                f"{single.bytes_a_profile:.0f}: {ratio:.2f} (goal: ≤ 0.2)"
            )


async def call_one_by_one(client: Client) -> Called:
    """One call of the tool for one profile after the other."""
    began, read = time.perf_counter(), 0
    for one in profiles("one", SINGLE):
        arguments = {"linkedin_url": one, "type": "work", "wait_seconds": 50}
        read += await call(client, "request_email_enrichment", arguments)
    return Called(time.perf_counter() - began, read / SINGLE)


async def call_with_lists(client: Client, length: int) -> Called:
    """As many calls of the tool for lists as the profiles need."""
    began, read = time.perf_counter(), 0
    urls = list(profiles(f"list{length}", length))
    for first in range(0, length, A_CALL):
        arguments = {"linkedin_urls": urls[first : first + A_CALL], "type": "work"}
        read += await call(client, "request_email_enrichments", arguments)
    return Called(time.perf_counter() - began, read / length)


async def call(client: Client, name: str, arguments: dict[str, Any]) -> int:
    """Call a tool, which must return final results; return the bytes of its text."""
    result = await client.call_tool(name, arguments)
    content = result.structured_content or {}
    assert content.get("all_final", content.get("is_final")), content
    return sum(len(part.text.encode()) for part in result.content if isinstance(part, TextContent))


def profiles(batch: str, count: int) -> Iterator[str]:
    """This many profiles of the batch, a third of which are misses."""
    return (profile(batch, number) for number in range(count))


def report(name: str, length: int, seconds: float, single: float) -> None:
    """Print a comparison."""
    print(
        f"{name}, {length} profiles: {seconds:.1f} s; one by one {single:.0f} s (scaled from "
        f"{SINGLE}): {single / seconds:.1f} times (goal: ≥ 5)"
    )


def report_memory(url: str, lengths: Sequence[str]) -> None:
    """Print the peak memory of a process after these numbers of rows of a list."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.list_memory", url, folder, *lengths]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout
            for rows, peak in map(str.split, running.stdout):
                seconds = time.perf_counter() - began
                mebibytes = int(peak) / 2**20
                print(f"{int(rows):7,} rows: peak {mebibytes:.1f} MiB, {seconds:.0f} s", flush=True)
    if running.returncode:
        raise SystemExit(running.returncode)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
