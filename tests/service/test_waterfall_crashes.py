"""If a process dies during a lookup, all paid answers are used, and no vendor is paid twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from mcp_enrichment.service.db.database import Database
from mcp_enrichment.service.lookup import vendor_calls
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.sources.base import Terms
from tests.support.lookup_outcomes import (
    RejectsRoleAddresses,
    expected_outcome,
    run_to_completion,
    vendor_with_outcome,
)
from tests.support.running_service import ADA, Clock, ledger_is_exact, running_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tests.support.databases import Place
    from tests.support.running_service import RunningService
    from tests.support.scripted_vendors import ScriptedVendor

T = TypeVar("T")
pytestmark = pytest.mark.anyio
ENDS = ["verified", "unverified", "miss", "lost", "refused", "unavailable", "later-verified"]
FEW_ENDS = ["verified", "later-verified"]
"""Those that run on Postgres, where each step takes twice as long."""


class Died(BaseException):
    """The process ends here: nothing in it continues."""


@dataclass
class Life:
    """A process that lives for this many steps."""

    steps: int

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Died


class Mortal(Database):
    """The database of a process that dies before a transaction or after its commit."""

    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database._engine, database.pseudonyms, queue=database.queue)
        self._life = life

    def write_now(self, work: Callable[[Connection], T]) -> T:
        self._life.step()
        done = super().write_now(work)
        self._life.step()
        return done


@pytest.mark.parametrize("first", ENDS)
async def test_after_a_death_at_any_moment_the_end_is_right_and_each_vendor_paid_once(
    place: Place, first: str
) -> None:
    clock, deaths = Clock(), 0
    seconds = ENDS if isinstance(place, Path) else FEW_ENDS
    async with running_service(
        place, jobs=False, clock=clock, check=RejectsRoleAddresses(), credits=999
    ) as it:
        for second in seconds:
            steps, died = 0, True
            while died:
                died = await _one_death(it, clock, (first, second), steps)
                deaths += died
                steps += 1
    assert deaths > 6 * len(seconds), "there are more moments than these"
    ledger_is_exact(place)


async def test_a_vendor_that_repeats_itself_for_nothing_is_asked_again_after_a_death(
    place: Place,
) -> None:
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        vendor = vendor_with_outcome("verified", "vendor")
        vendor.terms = Terms(hit=1, idempotent_billing=True)
        request_id, sources = await it.accepted(), [vendor]
        await _die(it, request_id, sources, steps=4)
        assert len(vendor.asked) == 1
        clock.now += vendor_calls.ABANDONED_SECONDS
        again = replace(it, service=replace(it.service, sources=sources))
        ended = await run_to_completion(again, request_id, clock)
    assert (ended.status, len(vendor.asked)) == ("completed", 2)


async def test_a_call_that_may_still_run_is_waited_for(place: Place) -> None:
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        sources = [vendor_with_outcome("verified", "vendor")]
        request_id = await it.accepted()
        await _die(it, request_id, sources, steps=4)
        again = replace(it, service=replace(it.service, sources=sources))
        ended = await run_to_completion(again, request_id, clock)
    assert (ended.status, ended.reason) == ("failed", "answer-lost")
    assert clock.now - Clock().now >= vendor_calls.ABANDONED_SECONDS


async def _one_death(it: RunningService, clock: Clock, ends: tuple[str, str], steps: int) -> bool:
    """Die after this many steps, start anew, check the outcome; return whether it died."""
    tag = f"{ends[1]}-{steps}"
    named = {f"first-{tag}": ends[0], f"second-{tag}": ends[1]}
    vendors = [vendor_with_outcome(end, name) for name, end in named.items()]
    request_id = await it.accepted(linkedin_url=f"{ADA}-{tag}")
    died = await _die(it, request_id, vendors, steps)
    asked = "SELECT source FROM source_calls WHERE request_id = ? AND state = 'requested'"
    for (lost,) in it.rows(asked, request_id):
        named[lost] = "lost"  # its answer is unknown
    clock.now += vendor_calls.ABANDONED_SECONDS
    reborn = replace(it, service=replace(it.service, sources=vendors))
    assert await run_to_completion(reborn, request_id, clock) == expected_outcome(named), (
        named,
        steps,
    )
    for vendor, end in zip(vendors, ends, strict=True):
        assert end == "unavailable" or len(vendor.asked) <= 1, (named, steps)
    return died


async def _die(
    it: RunningService, request_id: str, vendors: list[ScriptedVendor], steps: int
) -> bool:
    """Run the job in a process that lives for this many steps; return whether it died."""
    clock = it.service.clock
    assert isinstance(clock, Clock)
    life = Life(steps)
    for vendor in vendors:
        vendor.interrupt = life.step
    mortal = replace(it.service, sources=vendors, database=Mortal(it.service.database, life))
    job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
    try:
        while again := await look_up(mortal, job):
            clock.now += again.seconds
    except Died:
        return True
    finally:
        for vendor in vendors:
            vendor.interrupt = lambda: None
    return False
