"""The chaos test on Postgres: workers are killed, connections are cut, the server crashes, behind a
faulty network. `python -m tests.support.chaos_fleet` runs the long form."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from tests.support import postgres
from tests.support.chaos import (
    LEFT_BEHIND,
    UNFINISHED,
    Figures,
    check_promises,
    flaky_receiver,
    seeded_random,
    starts_workers,
    until_another_service_works,
)
from tests.support.chaos_worker import ask
from tests.support.cutting_proxy import cutting_proxy
from tests.support.fault_proxy import fault_proxy
from tests.support.running_service import running_service, until
from tests.support.scripted_server import scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.support.chaos import Workers
    from tests.support.fault_proxy import FaultProxy
    from tests.support.postgres import Server
    from tests.support.running_service import RunningService

SERVICES, WORKERS = 2, 3
LONGEST_LIFE = 1.0
DOWN = 0.5
CRASHES = 2


async def chaos(server: Server, *, requests: int, kills: int, chance: random.Random) -> Figures:
    """Submit, kill, cut, crash, and check the result against every promise."""
    url = server.fresh(server.migrated())
    async with (
        scripted_server() as receiver,
        fault_proxy(receiver.port, chance) as network,
        cutting_proxy(server.port, chance) as cutting,
        running_service(url, jobs=False, credits=requests, allow_private=True) as it,
        anyio.create_task_group() as tasks,
    ):
        receiver.always(flaky_receiver(chance))
        tasks.start_soon(cutting.keep_cutting)
        through = url.replace(f":{server.port}/", f":{cutting.port}/")
        died = await _until_all_is_done(
            it, server, network, through=through, requests=requests, kills=kills
        )
        tasks.cancel_scope.cancel()
    figures = Figures(len(died), network.done, {}, 0, 0, cut=cutting.cut)
    return check_promises(url, requests, receiver.seen, network.url, figures)


async def _until_all_is_done(
    it: RunningService,
    server: Server,
    network: FaultProxy,
    *,
    through: str,
    requests: int,
    kills: int,
) -> set[tuple[str]]:
    died_at_work: set[tuple[str]] = set()
    crash_at = {kills * (n + 1) // (CRASHES + 1) for n in range(CRASHES)}
    with starts_workers(through, it.team_id, network) as services:
        for share in range(SERVICES):
            services.start(range(share, requests, SERVICES), works=False)
        with starts_workers(through, it.team_id, network) as workers:
            for _ in range(WORKERS):
                workers.start(())
            for number in range(kills):
                await _one_dies(it, workers, network.chance, died_at_work, range(requests))
                if number in crash_at:
                    await _crash(server)
                died_at_work |= set(it.rows(LEFT_BEHIND))
            await _repeat_all_requests(it, network, range(requests))
            await until(lambda: it.rows(UNFINISHED) == [(0,)], seconds=5 * HANG)
    return died_at_work


async def _one_dies(
    it: RunningService,
    workers: Workers,
    chance: random.Random,
    known: set[tuple[str]],
    numbers: range,
) -> None:
    workers.start(())
    await anyio.sleep(chance.uniform(0, LONGEST_LIFE))
    await until_another_service_works(it, known, numbers)
    workers.kill_one()


async def _crash(server: Server) -> None:
    await anyio.to_thread.run_sync(server.stop, "immediate")
    await anyio.sleep(DOWN)
    await anyio.to_thread.run_sync(server.start)


async def _repeat_all_requests(
    it: RunningService, network: FaultProxy, numbers: Sequence[int]
) -> None:
    """Repeat each request with its key, as a caller without an answer does."""
    for number in numbers:
        await ask(it.service, it.team_id, network.url, number)


def main(requests: int = 1000, kills: int = 60) -> None:
    """Run the long form."""
    began = time.monotonic()
    programs = postgres.installed()
    assert programs, postgres.MISSING
    with postgres.server(programs) as server:

        async def run() -> Figures:
            return await chaos(server, requests=requests, kills=kills, chance=seeded_random())

        figures = anyio.run(run)
    print(
        f"{requests} requests, {kills} kills, {time.monotonic() - began:.0f} s: every promise held"
    )
    print(figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
