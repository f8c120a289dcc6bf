"""After a vendor's failures no process calls it for a while; then one call tests it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import (
    Lost,
    LostReason,
    Misconfigured,
    Miss,
    Outcome,
    Unavailable,
)
from tests.support.databases import open_place
from tests.support.running_service import ADA, HIT, Clock, RunningService, running_service
from tests.support.scripted_vendors import ScriptedVendor, scripted_vendor

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
DOWN = Unavailable()
LOST, REFUSED = Lost(why=LostReason.NO_ANSWER), Lost(why=LostReason.REFUSED)


async def looked_up(it: RunningService, number: int, vendor: ScriptedVendor) -> Reschedule | None:
    """Run the job of a new request once, with this vendor alone."""
    request_id = await it.accepted(linkedin_url=f"{ADA}-{number}")
    job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
    return await look_up(replace(it.service, sources=[vendor]), job)


def left_alone_for(it: RunningService) -> float | None:
    """Seconds for which the vendor's circuit remains open."""
    health = it.service.database.read_now(lambda c: circuit_breaker.get(c, "vendor"))
    until = health.open_until if health else None
    return until and until - it.service.clock()


@pytest.mark.parametrize("failure", [DOWN, LOST])
async def test_after_three_failures_in_a_row_a_vendor_is_paused_longer_each_time(
    place: Place, failure: Outcome
) -> None:
    vendor, clock = scripted_vendor(failure), Clock()
    async with running_service(place, jobs=False, clock=clock, credits=99) as it:
        for number in range(5):
            await looked_up(it, number, vendor)
        assert len(vendor.asked) == 3
        pauses = []
        for number in range(10, 17):
            pauses.append(pause := left_alone_for(it) or 0.0)
            clock.now += pause
            await looked_up(it, number, vendor)
        assert pauses == [30, 60, 120, 240, 480, 900, 900]
        assert len(vendor.asked) == 3 + len(pauses), "one call after each pause"


async def test_failures_between_answers_do_not_pause_a_vendor(place: Place) -> None:
    vendor = scripted_vendor(DOWN, DOWN, Miss(), DOWN, DOWN, Miss())
    async with running_service(place, jobs=False, clock=Clock()) as it:
        for number in range(6):
            await looked_up(it, number, vendor)
        assert left_alone_for(it) is None
    assert len(vendor.asked) == 6


async def test_refused_requests_do_not_pause_a_vendor(place: Place) -> None:
    vendor = scripted_vendor(REFUSED, REFUSED, REFUSED, DOWN, DOWN, REFUSED, DOWN)
    async with running_service(place, jobs=False, clock=Clock()) as it:
        for number in range(6):
            await looked_up(it, number, vendor)
        assert left_alone_for(it) is None
        await looked_up(it, 6, vendor)
        assert left_alone_for(it) == circuit_breaker.PAUSE, (
            "the refused requests did not reset its failures"
        )


async def test_while_one_call_probes_a_vendor_all_others_wait(place: Place) -> None:
    vendor, clock = scripted_vendor(DOWN, DOWN, DOWN, HIT), Clock()
    others: list[Reschedule | None] = []
    async with running_service(place, jobs=False, clock=clock, credits=99) as it:
        for number in range(3):
            await looked_up(it, number, vendor)
        clock.now += circuit_breaker.PAUSE
        gate = vendor.find

        async def meanwhile(*asked: object) -> object:
            others.append(await looked_up(it, 8, vendor))
            return await gate(*asked)  # type: ignore[arg-type]

        vendor.find = meanwhile  # type: ignore[method-assign, assignment]
        assert await looked_up(it, 7, vendor) is None
        assert others == [Reschedule(circuit_breaker.PROBE_SECONDS)]
        assert left_alone_for(it) is None
        vendor.find = gate  # type: ignore[method-assign]
        assert await looked_up(it, 9, vendor) is None
    assert len(vendor.asked) == 5


async def test_one_that_asks_to_wait_is_left_alone_for_as_long(place: Place) -> None:
    vendor = scripted_vendor(Unavailable(retry_after=70))
    async with running_service(place, jobs=False, clock=Clock()) as it:
        assert await looked_up(it, 1, vendor) == Reschedule(70)
        assert await looked_up(it, 2, vendor) == Reschedule(70)
    assert len(vendor.asked) == 1


async def test_one_that_asks_to_wait_for_a_day_is_left_alone_for_it_and_no_request_waits(
    place: Place,
) -> None:
    vendor, clock = scripted_vendor(Unavailable(retry_after=86_400), HIT), Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        assert await looked_up(it, 1, vendor) is None
        clock.now += 86_399
        assert await looked_up(it, 2, vendor) == Reschedule(2.0)
        assert len(vendor.asked) == 1
        clock.now += 2
        assert await looked_up(it, 3, vendor) is None
        ends = it.rows("SELECT status, reason FROM requests WHERE completed_at IS NOT NULL")
    assert sorted(ends, key=str) == [("completed", None), ("failed", "sources-unavailable")]


async def test_a_clock_that_is_set_back_leaves_it_alone_no_longer(place: Place) -> None:
    vendor, clock = scripted_vendor(Misconfigured()), Clock()
    async with running_service(place, jobs=False, clock=clock, credits=99) as it:
        await looked_up(it, 0, vendor)
        clock.now -= 400 * 86_400.0
        await looked_up(it, 1, vendor)
        await looked_up(it, 2, vendor)
    assert len(vendor.asked) == 2


async def test_a_vendor_that_refuses_its_key_is_paused_and_the_reason_is_reported_at_once(
    place: Place,
) -> None:
    vendor, clock = scripted_vendor(Misconfigured(reason=Reason.SANDBOX)), Clock()
    async with running_service(place, jobs=False, clock=clock, credits=99) as it:
        for number in range(3):
            assert await looked_up(it, number, vendor) is None
        assert it.rows("SELECT DISTINCT status, reason FROM requests") == [("failed", "sandbox")]
        assert len(vendor.asked) == 1
        assert left_alone_for(it) == circuit_breaker.REFUSAL_PAUSE
        clock.now += circuit_breaker.REFUSAL_PAUSE
        await looked_up(it, 9, vendor)
        assert left_alone_for(it) == 2 * circuit_breaker.REFUSAL_PAUSE


async def test_a_pause_of_a_vendor_holds_in_all_processes(place: Place) -> None:
    vendor, other = scripted_vendor(DOWN), open_place(place)
    async with running_service(place, jobs=False, clock=Clock()) as it:
        for number in range(3):
            await looked_up(it, number, vendor)
        elsewhere = replace(it, service=replace(it.service, database=other))
        assert await looked_up(elsewhere, 4, vendor) == Reschedule(circuit_breaker.PAUSE)
    other.close()
    assert len(vendor.asked) == 3
