"""The processor time of a POST and its lookup, by thread, then by function.

The service runs in this process, and the POSTs are passed to its application without HTTP. They are
for profiles of which nothing is known. A first run measures the time of the threads. In a second
one a profiler, which slows functions that call many others, shows the shares of the functions.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import tempfile
import threading
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from bench.service_load import until_drained
from bench.stored import prepare
from mcp_enrichment.app.console import service_app
from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Scope

    from mcp_enrichment.doctor import Finding

STORED = 10_000
POSTS = 2_000
WARM_UP = 100
CONNECTIONS = 64
LEAST = 0.00005
"""Seconds a POST: a thread that takes less is left out."""
FUNCTIONS = 40
"""Functions of each thread that are listed."""
PACKAGE = "/mcp_enrichment/"

_numbers = count()


async def main() -> None:
    """Print the times, then the shares."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        key = prepare(home, STORED)
        settings = Settings(data_dir=home, state_dir=home, rate_limit=1_000_000)
        async with service_app(settings, no_findings) as (app, _):
            await post_and_look_up(app, settings.database_file, key, WARM_UP)
            before, before_of_loop = time.process_time(), time.thread_time()
            await post_and_look_up(app, settings.database_file, key, POSTS)
            of_loop = time.thread_time() - before_of_loop
            of_others = time.process_time() - before - of_loop
        print(f"the event loop takes {of_loop / POSTS * 1000:.2f} ms a POST with its lookup,")
        print(f"SQLite's threads {of_others / POSTS * 1000:.2f} ms")
        profiles = profile_new_threads()
        async with service_app(settings, no_findings) as (app, _):
            profiles.append(started_profile())
            await post_and_look_up(app, settings.database_file, key, POSTS)
    show(profiles)


def no_findings(_settings: Settings) -> Sequence[Finding]:
    """The console's page of checks is not opened."""
    return []


async def post_and_look_up(app: ASGIApp, database: Path, key: str, posts: int) -> None:
    """Send so many POSTs, and wait for the end of their lookups."""

    async def connection() -> None:
        for _ in range(posts // CONNECTIONS):
            await post(app, key)

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    await until_drained(database)


async def post(app: ASGIApp, key: str) -> None:
    """POST a profile that was not requested before."""
    url = f"https://www.linkedin.com/in/pat-example-{next(_numbers):09}"
    body = json.dumps({"linkedin_url": url, "type": "work"}).encode()
    named = {"content-type": "application/json", "content-length": str(len(body)), "x-api-key": key}
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": ENRICHMENTS,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 201, sent


def profile_new_threads() -> list[cProfile.Profile]:
    """Profile each thread that is started from now on; the profiles, as the threads start."""
    profiles: list[cProfile.Profile] = []
    threading.setprofile(lambda *_: profiles.append(started_profile()))
    return profiles


def started_profile() -> cProfile.Profile:
    """A profile of this thread, of its processor time."""
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    return profile


def show(profiles: Sequence[cProfile.Profile]) -> None:
    """The functions of the package that take most, with what they call, and the share of each."""
    for profile in profiles:
        stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        total = sum(own for _, _, own, _, _ in stats.values())
        if total < POSTS * LEAST:
            continue
        ours = [(taken, *where) for where, (*_, taken, _) in stats.items() if PACKAGE in where[0]]
        print(f"\na thread that takes {total / POSTS * 1000:.2f} ms a POST under the profiler:")
        for taken, file, _, function in sorted(ours, reverse=True)[:FUNCTIONS]:
            print(f"{taken / total:6.1%} {file.rpartition(PACKAGE)[2]} {function}")


if __name__ == "__main__":
    asyncio.run(main())
