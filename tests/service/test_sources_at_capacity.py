"""While a paid source is at capacity, lookups that another source can answer do not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.queue import procrastinate_worker as engine
from tests.support.databases import rows
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place
    from tests.support.running_service import RunningService

pytestmark = pytest.mark.anyio
IN_LINE = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'look-up/full'"

LISTENERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'LISTEN "procrastinate%' AND state = 'idle' AND datname = current_database()
"""


class KnowsOne(FixedSource):
    """A source without cost that knows one of the profiles."""

    async def find(self, profile: str, email_type: EmailType) -> Outcome:
        return HIT if profile == f"{ADA}-known" else await super().find(profile, email_type)


async def test_waiting_for_a_full_source_does_not_delay_lookups_at_others(
    place: Place,
) -> None:
    own, full = KnowsOne(MISS, name="own"), SlowSource(HIT, name="full")
    async with running_service(
        place, own, full, concurrency=2, source_limiter=_one_at_once(full)
    ) as it:
        waiting = await _asked_of(it, own)
        body = await it.final(await it.accepted(linkedin_url=f"{ADA}-known"))
        assert body["source"] == "own"
        full.may_answer.set()
        for request_id in waiting:
            await it.final(request_id)
    assert rows(place, "SELECT count(*) FROM jobs") == [(0,)]
    ledger_is_exact(place)


async def test_standing_in_line_is_no_try(url: str) -> None:
    own, full = KnowsOne(MISS, name="own"), SlowSource(HIT, name="full")
    async with running_service(url, own, full, source_limiter=_one_at_once(full)) as it:
        await _asked_of(it, own)
        await until(lambda: rows(url, IN_LINE) == [(4,)])
    assert rows(url, "SELECT attempts FROM jobs") == [(0,)] * 5


async def test_a_lookup_that_waits_at_a_source_whose_limit_was_removed_runs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SWEEP", 0.1)
    own, full = KnowsOne(MISS, name="own"), SlowSource(HIT, name="full")
    async with running_service(url, own, full, source_limiter=_one_at_once(full)) as it:
        ids = await _asked_of(it, own)
        await until(lambda: rows(url, IN_LINE) == [(4,)])
    async with running_service(url, FixedSource(HIT)) as it:
        for request_id in ids:
            await it.final(request_id)
    ledger_is_exact(url)


async def test_lookups_that_wait_for_a_sources_rate_follow_one_another_without_a_poll(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "POLL", 3600)
    source, limits = FixedSource(HIT), {FixedSource(HIT).name: SourceLimit(per_second=10)}
    async with running_service(url, source, source_limiter=SourceLimiter(limits)) as it:
        await until(lambda: rows(url, LISTENERS) == [(3,)])
        ids = [await it.accepted(linkedin_url=f"{ADA}-{number}") for number in range(6)]
        for request_id in ids:
            await it.final(request_id)
    ledger_is_exact(url)


def _one_at_once(source: SlowSource) -> SourceLimiter:
    return SourceLimiter({source.name: SourceLimit(at_once=1)})


async def _asked_of(it: RunningService, own: KnowsOne) -> list[str]:
    """Five requests for profiles that the source without cost does not know."""
    ids = [await it.accepted(linkedin_url=f"{ADA}-{number}") for number in range(5)]
    await until(lambda: len(set(own.asked)) == len(ids))
    return ids
