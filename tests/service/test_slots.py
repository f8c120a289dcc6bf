"""What an operator relies on: no process asks sources more at once than it may, however many of
its lookups wait for their turn."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.domain.turns import Turns
from mcp_enrichment.service.store import jobs
from mcp_enrichment.service.store.jobs import JobKind, Lease
from mcp_enrichment.service.store.turns import Limit
from tests.support.counting import Counting
from tests.support.places import rows
from tests.support.serving import ADA, ledger_is_exact, serving, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.places import Place

pytestmark = pytest.mark.anyio
UNDER_WAY = "SELECT count(*) FROM source_lookups"


async def test_more_waiters_than_slots_ask_no_more_at_once_than_the_slots(place: Place) -> None:
    """Its rate has many wait; those whose turn has come all at once are still bounded."""
    source, many = Counting(0.1), 60
    limits = {source.name: Limit(per_second=1000)}
    async with serving(place, jobs=False, credits=many) as it:
        for number in range(many):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        async with serving(place, source, concurrency=4, turns=Turns(limits)):
            await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    assert 0 < source.most <= 4
    assert len(source.asked) == many
    ledger_is_exact(place)


async def test_rate_concurrency_and_slots_hold_together_over_several_processes(
    place: Place,
) -> None:
    source, many, rate = Counting(0.05), 40, 50.0
    limits = {source.name: Limit(at_once=3, per_second=rate)}
    async with serving(place, jobs=False, credits=many) as it:
        for number in range(many):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        before = time.monotonic()
        async with (
            serving(place, source, concurrency=2, turns=Turns(limits)),
            serving(place, source, concurrency=2, turns=Turns(limits)),
        ):
            await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    assert 0 < source.most <= 3
    assert source.began[-1] - before > (many - 3) / rate
    assert sorted(source.asked) == sorted(f"{ADA}-{number}" for number in range(many))
    assert rows(place, UNDER_WAY) == [(0,)]
    ledger_is_exact(place)


async def test_a_process_without_room_claims_nothing(path: Path) -> None:
    async with serving(path, jobs=False) as it:
        await it.accepted()
        lease = Lease(owner="full", now=it.service.clock(), until=it.service.clock() + 30)
        for room in (0, -1, -100):
            for claim in (
                partial(jobs.claim, limit=room),
                partial(jobs.claim_fairly, limit=room, share=4, at_work={}),
                partial(jobs.claim_fairly, limit=4, share=room, at_work={}),
            ):
                claimed = it.service.database.write_now(
                    lambda c, claim=claim: claim(c, lease, JobKind.LOOK_UP)
                )
                assert claimed == []
