"""A process that makes one request and kills itself before one step.

Run it with `python -m tests.support.crash_steps`.

Arguments: the server's URL, the state file, the number of the step, and `known` if the server is
known to honour `Idempotency-Key`. The steps are the client's effects: each transaction of its state
file, and each HTTP request that it sends.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE
from tests.support.patience import be_patient
from tests.support.waiting import HANG


class Steps:
    """Counts the steps, and dies before one of them."""

    def __init__(self, last: int) -> None:
        self._left = last

    def before(self, owner: type, name: str) -> None:
        step = getattr(owner, name)

        async def counted(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return await step(*args, **options)

        setattr(owner, name, counted)


async def main(url: str, memory: str, last: str, known: str = "") -> None:
    steps = Steps(int(last))
    steps.before(SQLiteFile, "run")
    steps.before(HTTPApi, "post")
    steps.before(HTTPApi, "get")
    options = {"memory": Path(memory), "supports_idempotency": bool(known)}
    async with EnrichmentClient(url, api_key="k-secret", **options) as client:
        await client.request(PROFILE, EmailType.WORK, wait=HANG)
        await client.request(PROFILE, EmailType.WORK)
    print("done", flush=True)


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
