"""A process that asks one question and kills itself before one step: `-m tests.support.steps`.

Arguments: the server's URL, the memory file, the number of the step, and `known` where the server
is known to honour `Idempotency-Key`. The steps are what the client
does to the world: each transaction of its memory, and each request that it sends.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.memory_file import MemoryFile
from mcp_enrichment.client.wire import Wire
from mcp_enrichment.contract.models import EmailType
from tests.support.lookups import PROFILE
from tests.support.patience import be_patient
from tests.support.waiting import HANG


class Steps:
    """Counts the steps, and dies at one."""

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
    steps.before(MemoryFile, "run")
    steps.before(Wire, "post")
    steps.before(Wire, "get")
    options = {"memory": Path(memory), "honours_keys": bool(known)}
    async with EnrichmentClient(url, api_key="k-secret", **options) as client:
        await client.request(PROFILE, EmailType.WORK, wait=HANG)
        await client.request(PROFILE, EmailType.WORK)
    print("done", flush=True)


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
