"""The bytes that a model reads and writes from request to answer, relative to an agent that polls.

Both use the same tools of the same server. Ours lets the tools wait; the other requests without
waiting and reads every 5 s. The bytes counted are those that pass through the model: the arguments
that it writes and the text of each answer. Goal: at most a fifth.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from mcp import Client

from bench.polled_server import polled_server, profile
from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.mcp.results import structured_content
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LASTING = (5, 30, 180)
"""Durations of the lookups in seconds."""
POLL_EVERY = 5.0


class Reader:
    """Calls tools as a model does, and counts the bytes that it writes and reads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.bytes = 0
        self.calls = 0

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return its answer."""
        answer = structured_content(await self._client.call_tool(name, arguments))
        written, read = json.dumps({"name": name, "arguments": arguments}), json.dumps(answer)
        self.bytes += len(written) + len(read)
        self.calls += 1
        return answer


async def waits(reader: Reader, url: str) -> None:
    """Use the tools as their descriptions say."""
    answer = await reader.call("request_email_enrichment", linkedin_url=url, type="work")
    while not answer["is_final"]:
        waited = await reader.call("wait_for_enrichment", ids=[answer["id"]])
        answer = waited["enrichments"][0]


async def polls(reader: Reader, url: str) -> None:
    """Poll as an agent must if no tool waits."""
    answer = await reader.call(
        "request_email_enrichment", linkedin_url=url, type="work", wait_seconds=0
    )
    while not answer["is_final"]:
        await anyio.sleep(POLL_EVERY)
        answer = await reader.call("get_enrichment", id=answer["id"])


async def main() -> None:
    """Print both for each lookup, and the totals."""
    found: dict[tuple[str, int], Reader] = {}
    async with polled_server() as server, anyio.create_task_group() as tasks:
        for how in (waits, polls):
            for seconds in LASTING:
                tasks.start_soon(measure, server.url, how, seconds, found)
    total = {
        how.__name__: sum(r.bytes for (name, _), r in found.items() if name == how.__name__)
        for how in (waits, polls)
    }
    for seconds in LASTING:
        ours, other = found["waits", seconds], found["polls", seconds]
        print(
            f"a lookup of {seconds:3} s: {ours.bytes:5} bytes in {ours.calls} calls, polling "
            f"{other.bytes:5} in {other.calls:2}: {ours.bytes / other.bytes:.2f}"
        )
    print(f"all three: {total['waits'] / total['polls']:.2f} (goal: ≤ 0.2)")


async def measure(url: str, how: Any, seconds: int, found: dict[tuple[str, int], Reader]) -> None:
    """Measure one lookup in one of the two ways."""
    async with connected(url, f"{how.__name__}{seconds}") as client:
        found[how.__name__, seconds] = Reader(client)
        await how(found[how.__name__, seconds], profile("pat-example", seconds))


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Client]:
    """A client of the tools over that server, with its own state file."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(api_url=url, api_key=key, state_dir=Path(folder))
        async with (
            lazy_client(settings) as get_client,
            Client(create_server(get_client)) as client,
        ):
            yield client


if __name__ == "__main__":
    anyio.run(main)
