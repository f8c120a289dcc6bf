"""Once a vendor was paid, its answer is stored and returned, even if a later step raises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.lookup import circuit_breaker, lookup_job, vendor_calls
from mcp_enrichment.service.queue import handlers
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Hit, InProgress
from tests.support.lookup_outcomes import OFFICE, RejectsRoleAddresses
from tests.support.running_service import HIT, Clock, FixedSource, ledger_is_exact, running_service
from tests.support.scripted_vendors import PRICE, scripted_vendor

if TYPE_CHECKING:
    from tests.support.databases import Place
    from tests.support.running_service import RunningService

pytestmark = pytest.mark.anyio
UNVERIFIED = Hit(email="maybe@example.com")
WORKING = InProgress(job_id="t-1", poll_after=20.0)


@pytest.mark.parametrize("office", [False, True])
async def test_a_lookup_that_is_given_up_tells_the_address_that_was_paid_for(
    place: Place, *, office: bool
) -> None:
    paid = Hit(email=OFFICE) if office else UNVERIFIED
    sources = [scripted_vendor(paid), FixedSource(ValueError(), name="broken")]
    async with running_service(place, *sources, jobs=False, check=RejectsRoleAddresses()) as it:
        job = replace(await _job(it), attempts=1)
        for _ in range(handlers.MAX_FAILURES):
            again = await handlers.run_job(it.service, job)
        assert again is None
        body = (await it.get(job.target_id)).json()
        left = await it.balance()
    told = ("failed", 0, 10) if office else ("completed", 1, 9)
    assert (body["status"], body["credits_charged"], left) == told
    assert (body.get("email") or {}).get("email") == (None if office else UNVERIFIED.email)
    ledger_is_exact(place)


@pytest.mark.parametrize("raises", [1, 1000], ids=["once", "always"])
async def test_an_address_that_was_paid_for_is_told_though_its_check_raises(
    place: Place, raises: int
) -> None:
    class Defect:
        left = raises

        async def find_defect(self, _email: str) -> None:
            self.left -= 1
            if self.left >= 0:
                raise ValueError

    polls = 14  # more than MAX_FAILURES: polls of a vendor do not count as failures
    vendor = scripted_vendor(WORKING, tells=(*[WORKING] * polls, HIT))
    clock = Clock()
    async with running_service(place, vendor, jobs=False, check=Defect(), clock=clock) as it:
        job = await _job(it)
        for attempts in range(1, polls + 20):
            again = await handlers.run_job(it.service, replace(job, attempts=attempts))
            if again is None:
                break
            clock.now += again.seconds
        body = (await it.get(job.target_id)).json()
    assert (body["status"], body["email"]["email"]) == ("completed", HIT.email)
    assert body["credits_charged"] == 1
    assert len(vendor.asked) == 1
    ledger_is_exact(place)


@pytest.mark.parametrize("where", ["the breaker", "the kind of the address"])
async def test_an_answer_that_was_paid_for_is_kept_though_what_follows_raises(
    place: Place, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError

    module, name = (
        (circuit_breaker, "record")
        if where == "the breaker"
        else (vendor_calls, "match_email_type")
    )
    monkeypatch.setattr(module, name, broken)
    vendor = scripted_vendor(HIT)
    async with running_service(place, vendor, jobs=False) as it:
        job = await _job(it)
        assert await lookup_job.look_up(it.service, job) is None
        body = (await it.get(job.target_id)).json()
    assert (body["status"], body["email"]["email"]) == ("completed", HIT.email)
    assert len(vendor.asked) == 1


async def test_polls_of_a_vendor_that_works_long_are_no_defects(place: Place) -> None:
    async with running_service(place, FixedSource(ValueError(), HIT), jobs=False) as it:
        job = replace(await _job(it), attempts=handlers.MAX_FAILURES + 2)
        assert await handlers.run_job(it.service, job) == Reschedule(handlers.FAILURE_BACKOFF)
        assert await handlers.run_job(it.service, job) is None
        assert (await it.get(job.target_id)).json()["status"] == "completed"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
async def test_numbers_that_are_none_lose_no_address_and_count_as_not_said(
    place: Place, number: float
) -> None:
    vendor = scripted_vendor(replace(HIT, cost=number, checked_at=None if number < 0 else number))
    async with running_service(place, vendor, jobs=False) as it:
        job = await _job(it)
        await lookup_job.look_up(it.service, job)
        assert (await it.get(job.target_id)).json()["email"]["email"] == HIT.email
        assert it.rows("SELECT cost FROM source_calls") == [(PRICE,)]


@pytest.mark.parametrize("email", ["ada\0@example.com", "ada\ud800@example.com"])
async def test_an_address_that_no_database_can_hold_is_a_lost_answer_on_both(
    place: Place, email: str
) -> None:
    vendor = scripted_vendor(replace(HIT, email=email))
    async with running_service(place, vendor, jobs=False) as it:
        job = await _job(it)
        await lookup_job.look_up(it.service, job)
        body = (await it.get(job.target_id)).json()
    assert (body["status"], body["reason"]) == ("failed", "answer-lost")
    assert len(vendor.asked) == 1


async def _job(it: RunningService) -> Job:
    return Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
