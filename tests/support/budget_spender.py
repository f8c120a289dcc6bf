"""A process that makes requests for many people at once, within a budget.

Run it with `python -m tests.support.budget_spender`.

Arguments: the server's URL, the state file, the first person's number, how many, credits a day. It
prints the result of each request as JSON: an id, or the code of an error.
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


async def main(url: str, memory: str, first: str, count: str, daily: str) -> None:
    results: list[str] = []

    async def ask(client: EnrichmentClient, number: int) -> None:
        person = f"https://www.linkedin.com/in/grace-{number}"
        try:
            results.append((await client.request(person, EmailType.WORK)).id)
        except EnrichmentError as error:
            results.append(error.code)

    budget = Budget(daily=int(daily))
    async with (
        EnrichmentClient(url, api_key="k-secret", memory=Path(memory), budget=budget) as client,
        anyio.create_task_group() as tasks,
    ):
        for number in range(int(first), int(first) + int(count)):
            tasks.start_soon(ask, client, number)
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
