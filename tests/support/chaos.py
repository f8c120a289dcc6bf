"""The chaos test: services on one file are killed at random moments, behind a faulty network, on a
disk that fills up. `python -m tests.support.chaos` runs the long form.

With the same seed (CHAOS_SEED), the moments are the same, as far as processes allow.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tests.support.chaos_worker import Disk, ask
from tests.support.databases import rows
from tests.support.disks import disk_under_databases
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.forks import popen
from tests.support.invariants import AT_THE_END, check
from tests.support.invariants.evidence import Evidence, ReceivedCallback
from tests.support.running_service import ADA, running_service, until
from tests.support.scripted_server import replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence

    from anyio.abc import SocketStream

    from tests.support.databases import Place
    from tests.support.running_service import RunningService
    from tests.support.scripted_server import Behaviour, ReceivedRequest

ROOT = Path(__file__).parents[2]
AT_ONCE = 3
"""Services that run at the same time."""
LONGEST_LIFE = 0.3
ENDED = """SELECT count(*) FROM requests WHERE completed_at IS NOT NULL
AND CAST(external_id AS integer) >= ? AND CAST(external_id AS integer) < ?"""
UNFINISHED = "SELECT count(*) FROM jobs"
LEFT_BEHIND = "SELECT DISTINCT lease_owner FROM jobs WHERE lease_owner IS NOT NULL"


@dataclass
class Workers:
    """Starts services, and kills them."""

    forks: subprocess.Popen[str]
    chance: random.Random
    living: list[int] = field(default_factory=list)

    def start(self, numbers: Iterable[int], *, works: bool = True) -> None:
        """Start a service that submits these requests, and with `works` runs all jobs."""
        assert self.forks.stdin
        assert self.forks.stdout
        orders = {"seed": self.chance.random(), "numbers": list(numbers), "works": works}
        self.forks.stdin.write(json.dumps(orders) + "\n")
        self.forks.stdin.flush()
        self.living.append(int(self.forks.stdout.readline()))

    def kill_one(self) -> None:
        unlucky = self.chance.choice(self.living)
        self.living.remove(unlucky)
        os.kill(unlucky, signal.SIGKILL)


@dataclass
class Figures:
    """The figures of a run."""

    died_at_work: int
    faults: Counter[str]
    statuses: dict[str, int]
    delivered: int
    given_up: int
    cut: int = 0

    def require_deaths_and_faults(self, kills: int) -> None:
        """Raise if the run had too few deaths and faults to test the promises."""
        assert self.died_at_work > kills / 5, "too few processes died during a job"
        assert set(self.faults) == set(Fault), "not every kind of network fault occurred"


async def chaos(path: Path, *, requests: int, kills: int, chance: random.Random) -> Figures:
    """Submit, kill, fill the disk, and check the result against every promise."""
    disk = Disk(path)
    with disk_under_databases(disk):
        async with (
            scripted_server() as receiver,
            fault_proxy(receiver.port, chance) as proxy,
            running_service(path, jobs=False, credits=requests, allow_private=True) as it,
        ):
            receiver.always(flaky_receiver(chance))
            died = await _killed_again_and_again(it, proxy, disk, requests, kills)
            seen = list(receiver.seen)
            figures = Figures(len(died), proxy.done, {}, 0, 0)
            return check_promises(path, requests, seen, proxy.url, figures)


async def _killed_again_and_again(
    it: RunningService, proxy: FaultProxy, disk: Disk, requests: int, kills: int
) -> set[tuple[str]]:
    died_at_work: set[tuple[str]] = set()
    chance, full_at = proxy.chance, kills // 2
    shares = [range(requests * n // kills, requests * (n + 1) // kills) for n in range(kills)]
    with starts_workers(it.place, it.team_id, proxy) as workers:
        for _ in range(AT_ONCE):
            workers.start(())
        for number, share in enumerate(shares):
            workers.start(share)
            await anyio.sleep(chance.uniform(0, LONGEST_LIFE))
            await until_another_service_works(it, died_at_work, share)
            workers.kill_one()
            died_at_work |= set(it.rows(LEFT_BEHIND))
            if number == full_at:
                await _fill(disk, workers, range(requests - kills, requests))
        for number in range(requests):  # repeats each request with its key
            await ask(it.service, it.team_id, proxy.url, number)
        await until(lambda: it.rows(UNFINISHED) == [(0,)], seconds=5 * HANG)
    return died_at_work


async def until_another_service_works(
    it: RunningService, known: set[tuple[str]], numbers: range
) -> None:
    """Return once a further service has begun a job, or the requests of these numbers are final. On
    a busy machine a service would otherwise be killed before it begins any job."""

    def works_or_all_are_final() -> bool:
        if set(it.rows(LEFT_BEHIND)) - known:
            return True
        return it.rows(ENDED, numbers.start, numbers.stop) == [(len(numbers),)]

    await until(works_or_all_are_final, seconds=5 * HANG)


async def _fill(disk: Disk, workers: Workers, numbers: Sequence[int]) -> None:
    """Fill the disk until a service reports it; the service repeats its requests until accepted."""
    disk.flag.touch()
    workers.start(numbers)
    await until(disk.reported.exists)
    disk.flag.unlink()


@contextmanager
def starts_workers(place: Place, team_id: int, proxy: FaultProxy) -> Iterator[Workers]:
    """Start a process that forks services on a database; all end with the block."""
    program = [sys.executable, "-m", "tests.support.chaos_worker"]
    program += [str(place), str(team_id), proxy.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with popen(program, cwd=ROOT, **pipes) as forks:  # type: ignore[call-overload]
        try:
            yield Workers(forks, proxy.chance)
        finally:
            forks.stdin.close()  # ends it and the services that live


def flaky_receiver(chance: random.Random) -> Behaviour:
    """A receiver that refuses one callback in ten."""

    async def behave(stream: SocketStream, seen: ReceivedRequest) -> None:
        answer = chance.choices([replies(200), replies(503)], [9, 1])[0]
        with suppress(anyio.BrokenResourceError):  # the sender has disconnected
            await answer(stream, seen)

    return behave


def check_promises(
    place: Place, requests: int, seen: Sequence[ReceivedRequest], url: str, figures: Figures
) -> Figures:
    """Check what was promised about all requests, whose callbacks go to this URL; add the
    figures."""
    figures.statuses = dict(rows(place, "SELECT status, count(*) FROM requests GROUP BY status"))
    assert sum(figures.statuses.values()) == requests
    callbacks = [
        ReceivedCallback(url=url + one.path, headers=one.headers, body=one.body) for one in seen
    ]
    emails = {f"{ADA}-{number}": [f"{number}@example.com"] for number in range(requests)}
    [(team_id,)] = rows(place, "SELECT id FROM teams")
    evidence = Evidence(
        rows=partial(rows, place),
        granted={team_id: requests},
        addresses=emails,
        callbacks=callbacks,
    )
    check(evidence, AT_THE_END)
    assert rows(place, "SELECT count(*) FROM callbacks") == [(requests,)]
    assert all(one.json["external_id"] == one.path[1:] for one in seen)
    ends = rows(place, "SELECT callback_id, outcome FROM callback_attempts")
    figures.delivered = len({callback for callback, outcome in ends if outcome == "delivered"})
    figures.given_up = requests - figures.delivered
    return figures


def seeded_random() -> random.Random:
    """A random generator with a seed that is printed, so that a run can be repeated."""
    seed = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
    print(f"to run this again: CHAOS_SEED={seed}")
    return random.Random(seed)  # noqa: S311


def main(requests: int = 500, kills: int = 200) -> None:
    """Run the long form."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "enrichment.db"

        async def run() -> Figures:
            return await chaos(path, requests=requests, kills=kills, chance=seeded_random())

        figures = anyio.run(run)
        figures.require_deaths_and_faults(kills)
    print(
        f"{requests} requests, {kills} kills, {time.monotonic() - began:.0f} s: every promise held"
    )
    print(figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
