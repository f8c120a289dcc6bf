"""A thousand waits held over HTTP by one process: `[WAITS [IDS ...]]`.

Each is a call of `wait_for_enrichment` on its own connection, repeated when it times out, as an
assistant does. The vendor holds its answers; its lookups complete one after the other. Prints the
memory of a wait, the delay of an answer after its completion, the longest silence of a stream, and
how many waits were lost. Exits with code 1 if one was.
"""

from __future__ import annotations

import asyncio
import json
import math
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.held_memory import remember
from bench.held_vendor import end_of, profile
from bench.over_http import as_post, is_whole
from bench.processes import listening, megabytes, process

if TYPE_CHECKING:
    from bench.processes import Listening

WAITS = 1_000
AHEAD = 30.0
"""Seconds from the start of the last wait to the first completion."""
BEGUN_A_SECOND = 100
"""Any machine starts at least this many waits a second."""
KEY = "a-key"
SPREAD = 20.0
"""Seconds from the first completion to the last."""
AT_ONCE = 32
"""Calls that begin at the same time."""
GIVEN_UP = 180.0
"""Seconds after the last completion at which an answer counts as lost."""


@dataclass
class Waits:
    """The results of the waits."""

    port: int
    late: list[float] = field(default_factory=list)
    """Seconds from each completion to its answer."""
    calls: int = 0
    refused: int = 0
    """Calls whose answer was to call again, as the service could not be reached."""
    silence: float = 0.0
    """The longest time in seconds without data on a stream."""
    longest: float = 0.0
    """Seconds of the longest call."""
    begun: int = 0
    _starting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def look(self, enrichment_id: str) -> None:
        """Wait for a second: the first call loads what all calls need."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self._call(reader, writer, ids=enrichment_id, timeout_seconds=1)
        writer.close()

    async def wait(self, enrichment_id: str) -> None:
        """Wait until it is final, with as many calls as that takes."""
        async with self._starting:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.begun += 1
        all_final = False
        while not all_final:
            began = time.monotonic()
            told = await self._call(reader, writer, ids=enrichment_id)
            self.refused += "structuredContent" not in told
            all_final = told.get("structuredContent", {}).get("all_final", False)
            self.longest = max(self.longest, time.monotonic() - began)
            self.calls += 1
        self.late.append(time.monotonic() - end_of(enrichment_id))
        writer.close()

    async def _call(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, **arguments: Any
    ) -> dict[str, Any]:
        called = {"name": "wait_for_enrichment", "arguments": arguments}
        writer.write(as_post(self.port, "tools/call", {"progressToken": 1}, **called))
        answer, heard = b"", time.monotonic()
        while not (answer and is_whole(answer)):
            chunk = await reader.read(1 << 16)
            assert chunk, "the server has hung up"
            answer += chunk
            heard, before = time.monotonic(), heard
            self.silence = max(self.silence, heard - before)
        return result_of(answer)


def result_of(answer: bytes) -> dict[str, Any]:
    """The call's result, from JSON or from the last event of a stream."""
    start = answer.rindex(b'{"jsonrpc"')
    message, _ = json.JSONDecoder().raw_decode(answer[start:].decode())
    result: dict[str, Any] = message["result"]
    return result


async def hold(face: Listening, vendor: str, folder: Path, waits: int, ids: int) -> int:
    """Hold this many waits for this many ids, and print; return how many were lost."""
    under_way = Waits(face.port)
    first = time.monotonic() + waits / BEGUN_A_SECOND + AHEAD
    profiles = [profile(number, first + SPREAD * number / ids) for number in range(ids)]
    known = await remember(folder / "memory.db", vendor, KEY, profiles)
    await under_way.look(known[0])
    before, under_way.silence = megabytes(face.pid), 0.0
    tasks = [asyncio.create_task(under_way.wait(known[n % ids])) for n in range(waits)]
    await asyncio.sleep(first - 5 - time.monotonic())
    held, memory = under_way.begun, megabytes(face.pid) - before
    done, lost = await asyncio.wait(tasks, timeout=first + SPREAD + GIVEN_UP - time.monotonic())
    failed = [task for task in done if task.exception()]
    for task in lost:
        task.cancel()
    late = sorted(under_way.late) or [math.inf]
    p50, p99 = (late[int(len(late) * share)] for share in (0.5, 0.99))
    print(
        f"{held:,} waits on {ids:,} ids: {memory * 1024 / held:.0f} KiB each; "
        f"{len(lost) + len(failed)} lost; "
        f"late by {p50:.2f} s (p50), {p99:.2f} (p99), {late[-1]:.2f} (last); "
        f"{under_way.calls:,} calls, {under_way.refused:,} refused, "
        f"the longest {under_way.longest:.1f} s; silent for {under_way.silence:.1f} s at most",
        flush=True,
    )
    return len(lost) + len(failed)


def main(waits: int = WAITS, *ids: int) -> int:
    """Run waits that share ids, and waits with one id each; return 1 if one was lost."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(sum(served(waits, ids) for ids in ids or (100, waits)) > 0)


def served(waits: int, ids: int) -> int:
    """The same with its own servers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        process(["-m", "bench.held_vendor"]) as port,
        listening(
            ["-m", "mcp_enrichment", "serve", "--http", "--port"],
            {
                "ENRICHMENT_API_URL": (vendor := f"http://127.0.0.1:{port}"),
                "ENRICHMENT_API_KEY": KEY,
                "ENRICHMENT_HTTP_OPEN": "true",
                "ENRICHMENT_RATE_LIMIT": "1000000",
                "ENRICHMENT_STATE_DIR": folder,
                "ENRICHMENT_DATA_DIR": folder,
            },
        ) as face,
    ):
        return asyncio.run(hold(face, vendor, Path(folder), waits, ids))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
