"""One team's backlog does not delay others for long, and no source gets more lookups than its
limits allow, in all processes together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest
from pydantic import ValidationError

from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.lookup import source_limiter, source_slots
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.queue import procrastinate_worker as engine
from mcp_enrichment.service.sources.base import Unavailable
from mcp_enrichment.settings import Settings
from tests.support.counting_source import CountingSource
from tests.support.databases import rows
from tests.support.keyed_client import create_key
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    Clock,
    FixedSource,
    RunningService,
    SlowSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
MANY = 200
STATUS = "SELECT status FROM requests WHERE id = ?"
UNDER_WAY = "SELECT count(*) FROM source_slots"
WAITING = "SELECT count(*) FROM jobs WHERE waits_for IS NOT NULL"


class NotingSource(SlowSource):
    """A slow source that records the order of its lookups."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.profiles: list[str] = []

    async def find(self, profile: str, email_type: EmailType) -> Outcome:
        self.profiles.append(profile)
        return await super().find(profile, email_type)


async def test_a_teams_thousands_do_not_keep_another_teams_one_waiting(place: Place) -> None:
    source = CountingSource(0.02)
    async with (
        running_service(place, jobs=False, credits=MANY) as ours,
        running_service(place, jobs=False) as other,
    ):
        for number in range(MANY):
            await ours.accepted(linkedin_url=f"{ADA}-{number}")
        await _as_another_team(other)
        async with running_service(place, source, concurrency=2):
            await until(lambda: len(source.asked) > MANY / 10)
            theirs = await other.accepted(linkedin_url=f"{ADA}-theirs")
            since = len(source.asked)
            await until(lambda: f"{ADA}-theirs" in source.asked)
            came = source.asked.index(f"{ADA}-theirs")
            await until(lambda: other.rows(STATUS, theirs) == [("completed",)])
    assert came - since < 10, "it was one of the next lookups"


async def test_teams_with_much_to_do_take_turns_each_in_its_own_order(place: Place) -> None:
    source = CountingSource(0.001)
    async with (
        running_service(place, jobs=False, credits=30) as ours,
        running_service(place, jobs=False) as other,
    ):
        await _as_another_team(other)
        for number in range(30):
            await ours.accepted(linkedin_url=f"{ADA}-ours-{number}")
        for number in range(10):
            await other.accepted(linkedin_url=f"{ADA}-theirs-{number}")
        async with running_service(place, source, concurrency=1):
            await until(lambda: len(source.asked) == 40)
    for team, many in (("ours", 30), ("theirs", 10)):
        mine = [profile for profile in source.asked if f"-{team}-" in profile]
        assert mine == [f"{ADA}-{team}-{number}" for number in range(many)]
    last = max(i for i, profile in enumerate(source.asked) if "-theirs-" in profile)
    assert last <= 21, "all ten of the second team were done within the first 22 lookups"


async def test_later_requests_do_not_starve_earlier_ones_of_the_same_team(place: Place) -> None:
    source = CountingSource(0.001)
    async with running_service(place, jobs=False, credits=200) as it:
        for number in range(20):
            await it.accepted(linkedin_url=f"{ADA}-first-{number}")
        async with running_service(place, source, concurrency=1):
            for number in range(100):
                await it.accepted(linkedin_url=f"{ADA}-later-{number}")
            await until(lambda: len(source.asked) == 120)
    assert source.asked[:20] == [f"{ADA}-first-{number}" for number in range(20)]


async def test_a_rescheduled_lookup_is_run_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "POLL", 0.05)
    source = FixedSource(Unavailable(retry_after=0.1), HIT)
    async with running_service(url, source, credits=20) as it:
        for number in range(10):
            await it.final(await it.accepted(linkedin_url=f"{ADA}-{number}"))
    assert len(source.asked) == 11
    ledger_is_exact(url)


@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_source_has_no_more_lookups_at_once_than_it_may(place: Place, at_once: int) -> None:
    source = CountingSource(0.02)
    limits = {source.name: SourceLimit(at_once=at_once)}
    async with (
        running_service(place, source, credits=30, source_limiter=SourceLimiter(limits)) as it,
        running_service(place, source, source_limiter=SourceLimiter(limits)),
    ):
        for number in range(30):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
    assert 0 < source.most <= at_once
    assert rows(place, UNDER_WAY) == [(0,)]
    ledger_is_exact(place)


async def test_a_source_is_asked_no_more_often_in_a_second_than_it_may(place: Place) -> None:
    source, rate, before = CountingSource(0), 10.0, time.monotonic()
    limits = {source.name: SourceLimit(per_second=rate)}
    async with (
        running_service(place, source, source_limiter=SourceLimiter(limits)) as it,
        running_service(place, source, source_limiter=SourceLimiter(limits)),
    ):
        for number in range(10):
            await it.accepted(linkedin_url=f"{ADA}-{number}")
        await until(lambda: len(source.began) == 10)
    assert source.began[-1] - before > (10 - 3) / rate


async def test_turns_are_given_evenly_and_none_is_lost_to_who_is_late(place: Place) -> None:
    clock, limit, rate = Clock(), SourceLimit(per_second=20), 20
    given: list[float] = []
    async with running_service(place, jobs=False, clock=clock) as it:
        for number in range(100):  # a lookup every 30 ms: a little late each time
            clock.now += 0.03
            now = clock.now
            taken = it.service.database.write_now(
                lambda c, n=now, i=number: source_slots.acquire(
                    c, "s", f"r-{i}", limit, now=n, lease=9
                )
            )
            if taken:
                given.append(now)
            else:
                it.service.database.write_now(
                    lambda c, i=number: source_slots.release(c, "s", f"r-{i}")
                )
    assert rate * 3 - 3 <= len(given) <= rate * 3 + 1
    for first in given:
        assert len([at for at in given if first <= at < first + 1]) <= rate + 1


async def test_while_a_source_is_busy_another_teams_one_is_still_among_the_next(
    place: Place,
) -> None:
    source = CountingSource(0.05)
    limits = {source.name: SourceLimit(at_once=2)}
    async with (
        running_service(place, jobs=False, credits=MANY) as ours,
        running_service(place, jobs=False) as other,
    ):
        for number in range(MANY):
            await ours.accepted(linkedin_url=f"{ADA}-{number}")
        await _as_another_team(other)
        async with (
            running_service(place, source, concurrency=50, source_limiter=SourceLimiter(limits)),
            running_service(place, source, concurrency=50, source_limiter=SourceLimiter(limits)),
        ):
            await until(lambda: len(source.asked) > 10)
            await other.accepted(linkedin_url=f"{ADA}-theirs")
            since = len(source.asked)
            await until(lambda: f"{ADA}-theirs" in source.asked)
            came = source.asked.index(f"{ADA}-theirs")
    assert came - since < 10, "waiting lookups do not take all hundred slots of the workers"


async def test_the_turn_of_a_process_that_died_is_free_again_when_its_lease_is_over(
    place: Place,
) -> None:
    clock, limit = Clock(), SourceLimit(at_once=1)
    async with running_service(place, jobs=False, clock=clock) as it:

        def take(request_id: str) -> bool:
            now, lease = clock.now, source_limiter.LEASE
            return it.service.database.write_now(
                lambda c: source_slots.acquire(c, "s", request_id, limit, now=now, lease=lease)
            )

        assert take("dead")
        assert not take("living")
        clock.now += source_limiter.LEASE - 1
        assert not take("living")
        assert take("dead"), "a lookup that is taken over keeps its slot"
        clock.now += 1.5
        assert take("living")
        assert not take("another")


async def test_lookups_begin_in_order_and_an_erased_one_delays_none(
    place: Place,
) -> None:
    source = NotingSource(HIT)
    limiter = SourceLimiter({source.name: SourceLimit(at_once=1)})
    async with running_service(place, source, source_limiter=limiter, concurrency=2) as it:
        ids = [await it.accepted(linkedin_url=f"{ADA}-one")]
        await until(lambda: source.profiles == [f"{ADA}-one"])
        for waiting, name in enumerate(("two", "three"), start=1):
            ids.append(await it.accepted(linkedin_url=f"{ADA}-{name}"))
            await until(lambda n=waiting: it.rows(WAITING) == [(n,)])
        gone = NamedSubject(profile=f"{ADA}-two")
        subject_requests.erase(it.service.database, gone, suppressing=True, at=it.service.clock())
        four = await it.accepted(linkedin_url=f"{ADA}-four")
        await until(lambda: it.rows(WAITING) == [(3,)])
        source.may_answer.set()
        for request_id in (ids[0], ids[2], four):
            await it.final(request_id)
    assert source.profiles == [f"{ADA}-{name}" for name in ("one", "three", "four")]
    assert rows(place, UNDER_WAY) == rows(place, WAITING) == [(0,)]


async def test_a_lookup_that_takes_its_time_keeps_its_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_limiter, "LEASE", 0.4)
    source, source_slots, clock = (
        SlowSource(HIT),
        SourceLimiter({"slow": SourceLimit(at_once=1)}),
        Clock(),
    )
    async with running_service(place, source, source_limiter=source_slots, clock=clock) as it:
        request_id = await it.accepted()
        await until(source.asked.is_set)
        kept_until = "SELECT expires_at FROM source_slots"
        ((first,),) = it.rows(kept_until)
        for _ in range(4):  # in steps shorter than the lease, so that it cannot end
            clock.now += 0.3
            await until(lambda: it.rows(kept_until) == [(clock.now + source_limiter.LEASE,)])
        assert clock.now > first + 2 * source_limiter.LEASE
        source.may_answer.set()
        await it.final(request_id)
    assert rows(place, UNDER_WAY) == [(0,)]


async def test_a_source_without_a_limit_is_asked_as_if_there_were_none(place: Place) -> None:
    limits = {"another": SourceLimit(at_once=1)}
    async with running_service(
        place, FixedSource(MISS), source_limiter=SourceLimiter(limits)
    ) as it:
        await it.final(await it.accepted())
    assert rows(place, "SELECT * FROM source_rate") == []


async def test_a_worker_that_is_told_to_end_waits_for_no_turn(url: str) -> None:
    source = SlowSource(HIT)
    limits = {source.name: SourceLimit(at_once=1)}
    with anyio.fail_after(HANG):
        async with running_service(url, source, source_limiter=SourceLimiter(limits)) as it:
            for number in range(3):
                await it.accepted(linkedin_url=f"{ADA}-{number}")
            await until(source.asked.is_set)
            await until(lambda: rows(url, WAITING) == [(2,)])
    owners = rows(url, "SELECT lease_owner FROM jobs")
    assert owners == [(None,)] * 3


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("contacts=50/200", SourceLimit(at_once=50, per_second=200)),
        ("contacts=50", SourceLimit(at_once=50)),
        ("contacts=/0.5", SourceLimit(per_second=0.5)),
    ],
)
def test_the_limits_are_set_in_a_few_characters(
    monkeypatch: pytest.MonkeyPatch, given: str, read: SourceLimit
) -> None:
    monkeypatch.setenv("ENRICHMENT_SOURCE_LIMITS", f"{given}, inferred=1")
    assert Settings().source_limits == {"contacts": read, "inferred": SourceLimit(at_once=1)}


NONE = "contacts contacts=0 contacts=/0 =1 contacts=1/2/3 contacts= contacts=/ contat=1"


@pytest.mark.parametrize("given", [*NONE.split(), "contacts=1,contacts=/2"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ENRICHMENT_SOURCE_LIMITS", given)
    with pytest.raises(ValidationError):
        Settings()


async def _as_another_team(it: RunningService) -> None:
    it.http.headers["x-api-key"] = await create_key(it, "another")
