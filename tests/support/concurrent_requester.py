"""A process that makes one request many times at once.

Run it with `python -m tests.support.concurrent_requester`.

Arguments: the server's URL, the key, the state file, how often. It prints `ready`, waits for a
line, and prints the result of each request as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE
from tests.support.patience import be_patient
from tests.support.waiting import HANG


async def main(url: str, key: str, memory: str, times: str) -> None:
    results: list[list[str | None]] = []

    async def ask(client: EnrichmentClient) -> None:
        try:
            answer = await client.request(PROFILE, EmailType.WORK, wait=HANG)
        except EnrichmentError as error:
            results.append([type(error).__name__, None, None])
        else:
            results.append(["Answer", answer.id, answer.email])

    async with EnrichmentClient(url, api_key=key, memory=Path(memory)) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        async with anyio.create_task_group() as tasks:
            for _ in range(int(times)):
                tasks.start_soon(ask, client)
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
