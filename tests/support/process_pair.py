"""One of two processes that make requests for the same people at once.

Run it with `python -m tests.support.process_pair`.

Arguments: the server's URL, the state file, how many people, credits a day, and its own name. Each
request has its own external_id and callback_url. It prints `ready`, waits for a line, and prints as
JSON the result of each request, as (id, reused, credits charged, external_id, whether its
callback_url is dropped) or the code of an error, and the credits that it counts as spent today.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.state.spending import Budget
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.contract.models import EmailType
from tests.support.patience import be_patient


async def main(url: str, memory: str, count: str, daily: str, name: str) -> None:
    results: dict[int, list[object]] = {}

    async def ask(client: EnrichmentClient, number: int) -> None:
        try:
            answer = await client.request(
                f"https://www.linkedin.com/in/ada-{number}",
                EmailType.WORK,
                external_id=f"{name}-{number}",
                callback_url=f"https://hooks.example.com/{name}/{number}",
            )
        except EnrichmentError as error:
            results[number] = [error.code]
        else:
            results[number] = [
                answer.id,
                answer.reused,
                answer.credits_charged,
                answer.external_id,
                answer.callback_dropped,
            ]

    budget = Budget(daily=int(daily))
    async with EnrichmentClient(
        url, api_key="k-secret", memory=Path(memory), budget=budget
    ) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        async with anyio.create_task_group() as tasks:
            for number in range(int(count)):
                tasks.start_soon(ask, client, number)
        spent = (await client.credits()).spent_today
    print(json.dumps({"results": results, "spent": spent}), flush=True)


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
