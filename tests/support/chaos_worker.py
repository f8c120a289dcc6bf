"""Services that work on a database until they are killed: one for each line on stdin.

Each is forked from this process, which has imported everything already, so that hundreds of them
can live and die within a minute. `work` runs what running_service runs, without HTTP; each service
also submits the requests of a range, as their callers would.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from mcp_enrichment.service.callbacks import callback_sender
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.lookup import lookup_job
from mcp_enrichment.service.queue import procrastinate_worker
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.requests.submission import accept
from mcp_enrichment.service.sources.base import Hit, Miss, Unavailable
from tests.support.databases import named, open_place
from tests.support.disks import disk_under_databases
from tests.support.running_service import ADA, ANY_LOOPBACK, engine_of

if TYPE_CHECKING:
    import sqlite3

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

LEASE = 1.0
FLEET = {"HEARTBEAT": 0.3, "SILENT": 2.0, "SWEEP": 0.3, "POLL": 0.1}
DELAYS = (0.0, 0.02, 0.05)
TRY_SECONDS = 0.4
ROOM = 2**30


class Unsteady:
    """Answers within 50 ms; one answer in ten is unavailable, one in four a miss."""

    name = "unsteady"

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def find(self, profile: str, _email_type: EmailType) -> Outcome:
        await anyio.sleep(self._chance.uniform(0, 0.05))
        drawn = self._chance.random()
        if drawn < 0.1:
            return Unavailable()
        return Miss() if drawn < 0.35 else Hit(email=f"{profile.rsplit('-', 1)[1]}@example.com")


class Disk:
    """The disk under every database of this process: full while the flag file exists."""

    def __init__(self, path: Path) -> None:
        self.flag = path.with_name("full")
        self.reported = path.with_name("full-was-reported")
        """This file exists once a service has reported that the disk is full."""

    def __call__(self, connection: sqlite3.Connection) -> None:
        # SQLite raises a limit below the file's size to that size, so the file cannot grow.
        limit = 1 if self.flag.exists() else ROOM
        connection.execute(f"PRAGMA max_page_count = {limit}")


async def ask(
    service: ServiceContext, team_id: int, url: str, number: int, disk: Disk | None = None
) -> None:
    """Submit the request of this number until it is accepted; its key makes it one request."""
    request = EnrichmentRequest(
        linkedin_url=f"{ADA}-{number}",
        type=EmailType.WORK,
        callback_url=f"{url}/{number}",
        external_id=str(number),
    )
    while True:
        try:
            await accept(service, team_id, request, idempotency_key=f"key-{number}")
        except StorageFailed as failure:
            if disk and failure.fault is StorageFault.FULL:
                disk.reported.touch()
            await anyio.sleep(0.05)
        else:
            return


async def _opened(place: Place) -> Database:
    """The database, once it can be opened."""
    while True:
        try:
            return open_place(place)
        except StorageFailed:
            await anyio.sleep(0.05)


async def work(place: Place, team_id: int, url: str, orders: dict[str, Any]) -> None:
    """Submit the given requests, and run jobs until killed."""
    lookup_job.FIRST_DELAY, callback_sender.ATTEMPT_SECONDS = 0.02, TRY_SECONDS
    vars(procrastinate_worker).update(FLEET)
    disk, kept = Disk(place) if isinstance(place, Path) else None, ExitStack()
    if disk:
        kept.enter_context(disk_under_databases(disk))
    database, chance = await _opened(place), random.Random(orders["seed"])  # noqa: S311
    engine = engine_of(place, lease=LEASE)
    service = ServiceContext(
        database=database,
        sources=[Unsteady(chance)],
        sender=CallbackSender(ANY_LOOPBACK),
        callback_policy=ANY_LOOPBACK,
        completion_waiter=CompletionWaiter(database),
        delivery_delays=DELAYS,
        wake=engine.wake,
        lease_lookup=engine.lease_lookup,
    )
    async with anyio.create_task_group() as tasks:
        if orders["works"]:
            tasks.start_soon(engine.run, service)
        for number in orders["numbers"]:
            await ask(service, team_id, url, number, disk)
            await anyio.sleep(chance.uniform(0, 0.02))


def main() -> None:
    """Fork a worker for each line (its orders, as JSON) and print its process id."""
    place, team_id, url = named(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    living: list[int] = []
    for line in sys.stdin:
        living = [worker for worker in living if os.waitpid(worker, os.WNOHANG)[0] == 0]
        worker = os.fork()
        if worker == 0:
            os.close(0)
            anyio.run(work, place, team_id, url, json.loads(line))
            os._exit(0)
        living.append(worker)
        print(worker, flush=True)
    for worker in living:
        os.kill(worker, signal.SIGKILL)  # also reaps those killed before
        os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
