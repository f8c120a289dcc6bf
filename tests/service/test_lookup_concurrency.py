"""No process runs more lookups at a source than it may, however many wait."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.job import JobKind
from mcp_enrichment.service.queue.sqlite_queue import Lease, Turns
from tests.support.counting_source import CountingSource
from tests.support.databases import rows
from tests.support.running_service import ADA, ledger_is_exact, running_service, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
UNDER_WAY = "SELECT count(*) FROM source_slots"


async def test_more_waiters_than_slots_ask_no_more_at_once_than_the_slots(place: Place) -> None:
    """Many lookups wait for the rate limit. If all may start at once, they are still bounded."""
    source, many = CountingSource(0.1), 60
    limits = {source.name: SourceLimit(per_second=1000)}
    async with running_service(place, jobs=False, credits=many) as it:
        for number in range(many):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        async with running_service(
            place, source, concurrency=4, source_limiter=SourceLimiter(limits)
        ):
            await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    assert 0 < source.most <= 4
    assert len(source.asked) == many
    ledger_is_exact(place)


async def test_rate_concurrency_and_slots_hold_together_over_several_processes(
    place: Place,
) -> None:
    source, many, rate = CountingSource(0.05), 40, 50.0
    limits = {source.name: SourceLimit(at_once=3, per_second=rate)}
    async with running_service(place, jobs=False, credits=many) as it:
        for number in range(many):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        before = time.monotonic()
        async with (
            running_service(place, source, concurrency=2, source_limiter=SourceLimiter(limits)),
            running_service(place, source, concurrency=2, source_limiter=SourceLimiter(limits)),
        ):
            await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    assert 0 < source.most <= 3
    assert source.began[-1] - before > (many - 3) / rate
    assert sorted(source.asked) == sorted(f"{ADA}-{number}" for number in range(many))
    assert rows(place, UNDER_WAY) == [(0,)]
    ledger_is_exact(place)


async def test_a_process_without_room_claims_nothing(path: Path) -> None:
    async with running_service(path, jobs=False) as it:
        await it.accepted()
        lease = Lease(owner="full", now=it.service.clock(), until=it.service.clock() + 30)
        for room in (0, -1, -100):
            for claim in (
                partial(sqlite_queue.claim, turns=Turns(4), limit=room),
                partial(sqlite_queue.claim, turns=Turns(room), limit=4),
            ):
                claimed = it.service.database.write_now(
                    lambda c, claim=claim: claim(c, lease, JobKind.LOOK_UP)
                )
                assert claimed == []
