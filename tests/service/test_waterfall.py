"""With several sources, the best address is returned with its certainty, an outcome is a miss only
if all sources report one, and each vendor is paid at most once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.lookup import lookup_job, vendor_calls
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Hit, InProgress, Miss, Terms, Unavailable
from tests.support.lookup_outcomes import (
    ENDS,
    RejectsRoleAddresses,
    expected_outcome,
    run_to_completion,
    vendor_with_outcome,
    wins,
)
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    Clock,
    FixedSource,
    ledger_is_exact,
    running_service,
)
from tests.support.scripted_vendors import PRICE, scripted_vendor

if TYPE_CHECKING:
    from tests.support.databases import Place
    from tests.support.running_service import RunningService

pytestmark = pytest.mark.anyio
UNVERIFIED = Hit(email="maybe@example.com")
FREE_MAIL = Hit(email="ada@freemail.example", verification=Verification.VERIFIED)
WORKING = InProgress(job_id="t-1", poll_after=20.0)


@pytest.mark.parametrize("first", ENDS)
async def test_two_vendors_come_to_the_right_end_and_each_is_paid_once(
    place: Place, first: str
) -> None:
    clock = Clock()
    seconds = ENDS if isinstance(place, Path) else ENDS[::5]  # each takes longer on Postgres
    async with running_service(
        place, jobs=False, clock=clock, check=RejectsRoleAddresses(), credits=99
    ) as it:
        for number, second in enumerate(seconds):
            names = {f"first-{number}": first, f"second-{number}": second}
            vendors = [vendor_with_outcome(end, name) for name, end in names.items()]
            asked = replace(it, service=replace(it.service, sources=vendors))
            request_id = await it.accepted(linkedin_url=f"{ADA}-{number}")
            assert await run_to_completion(asked, request_id, clock) == expected_outcome(names), (
                names
            )
            for vendor, end in zip(vendors, names.values(), strict=True):
                if end != "unavailable":
                    spared = vendor is vendors[1] and wins(first)
                    assert len(vendor.asked) == (0 if spared else 1), names
            assert it.rows("SELECT * FROM source_calls WHERE email IS NOT NULL") == []
    ledger_is_exact(place)


async def test_the_cost_of_each_call_is_stored(place: Place) -> None:
    said = [Miss(cost=0.5), Hit(email=ADAS, cost=3.0), UNVERIFIED, Miss()]
    vendors = [scripted_vendor(one, name=f"v{number}") for number, one in enumerate(said)]
    async with running_service(place, *vendors, jobs=False, clock=(clock := Clock())) as it:
        await run_to_completion(it, await it.accepted(), clock)
        spent = it.rows("SELECT state, cost, attempts FROM source_calls ORDER BY source")
    assert spent == [("miss", 0.5, 1), ("hit", 3.0, 1), ("hit", PRICE, 1), ("miss", 0.0, 1)]


async def test_an_inferred_address_costs_no_credit(place: Place) -> None:
    inferred = Hit(email=ADAS, verification=Verification.INFERRED, evidence="4 of 5 alike")
    async with running_service(place, FixedSource(inferred)) as it:
        body = await it.final(await it.accepted())
        assert it.rows("SELECT evidence FROM requests") == [("4 of 5 alike",)]
        assert await it.balance() == 10
    assert (body["status"], body["credits_charged"]) == ("completed", 0)
    ledger_is_exact(place)


async def test_a_vendor_that_works_on_it_occupies_nothing_and_is_asked_by_its_ticket(
    place: Place,
) -> None:
    vendor = scripted_vendor(WORKING, tells=(HIT,))
    clock = Clock()
    async with running_service(place, vendor, jobs=False, clock=clock) as it:
        job = await _job(it)
        assert await lookup_job.look_up(it.service, job) == Reschedule(20.0)
        clock.now += 5
        assert await lookup_job.look_up(it.service, job) == Reschedule(15.0)
        assert vendor.collected == [], "it is not polled before that time"
        clock.now += 15
        assert await lookup_job.look_up(it.service, job) is None
    assert (vendor.asked, vendor.collected) == ([ADA], ["t-1"])


async def test_a_vendor_that_works_for_ever_is_given_up_and_said_to_have_lost_the_answer(
    place: Place,
) -> None:
    vendor = scripted_vendor(WORKING, tells=(WORKING,))
    clock = Clock()
    async with running_service(place, vendor, jobs=False, clock=clock) as it:
        ended = await run_to_completion(it, await it.accepted(), clock)
    assert ended.reason == "answer-lost"
    assert 600 <= clock.now - Clock().now < 640
    assert len(vendor.asked) == 1


async def test_a_vendor_that_begins_and_then_asks_to_wait_for_a_day_holds_the_request_no_longer(
    place: Place,
) -> None:
    vendor = scripted_vendor(WORKING, tells=(Unavailable(retry_after=86_400),))
    clock = Clock()
    async with running_service(place, vendor, jobs=False, clock=clock) as it:
        ended = await run_to_completion(it, await it.accepted(), clock)
    assert ended.reason == "answer-lost"
    assert clock.now - Clock().now == vendor_calls.WORKING_SECONDS
    assert (len(vendor.asked), len(vendor.collected)) == (1, 2)


async def test_an_outcome_that_came_while_no_process_ran_is_fetched_however_late(
    place: Place,
) -> None:
    vendor = scripted_vendor(WORKING, tells=(HIT,))
    clock = Clock()
    async with running_service(place, vendor, jobs=False, clock=clock) as it:
        job = await _job(it)
        await lookup_job.look_up(it.service, job)
        clock.now += 86_400
        assert await lookup_job.look_up(it.service, job) is None
        assert (await it.get(job.target_id)).json()["status"] == "completed"


async def test_a_vendor_without_that_kind_of_address_is_not_asked_and_nobody_says_miss(
    place: Place,
) -> None:
    vendor = scripted_vendor(Miss(), email_types=frozenset({EmailType.WORK}))
    async with running_service(place, vendor) as it:
        work = await it.final(await it.accepted())
        personal = await it.final(await it.accepted(type="personal"))
    assert (work["status"], personal["status"]) == ("not-found", "failed")
    assert personal["reason"] == "sources-misconfigured"
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    ("says", "kind", "source"),
    [
        (FREE_MAIL, "work", "next"),
        (replace(FREE_MAIL, email_type=EmailType.WORK), "work", "vendor"),
        (replace(HIT, email_type=EmailType.PERSONAL), "work", "next"),
        (FREE_MAIL, "personal", "vendor"),
        (HIT, "personal", "vendor"),
    ],
)
async def test_an_address_of_the_other_kind_is_a_miss_that_was_paid_for(
    place: Place, says: Hit, kind: str, source: str
) -> None:
    async with running_service(
        place, scripted_vendor(says), scripted_vendor(HIT, name="next")
    ) as it:
        body = await it.final(await it.accepted(type=kind))
        paid = it.rows("SELECT state, cost FROM source_calls WHERE source = 'vendor'")
    assert body["source"] == source
    assert paid == [("hit" if source == "vendor" else "miss", PRICE)]


async def test_an_unverified_address_is_not_kept_back_for_a_source_that_is_away_for_long(
    place: Place,
) -> None:
    away = scripted_vendor(Unavailable(retry_after=3600), name="away")
    kept = scripted_vendor(UNVERIFIED, name="kept")
    clock = Clock()
    async with running_service(place, away, kept, jobs=False, clock=clock) as it:
        assert (await run_to_completion(it, await it.accepted(), clock)).source == "kept"
    assert clock.now == Clock().now


async def test_a_source_that_comes_back_may_still_give_the_better_address(place: Place) -> None:
    away = scripted_vendor(Unavailable(), HIT, name="away")
    kept = scripted_vendor(UNVERIFIED, name="kept")
    clock = Clock()
    async with running_service(place, away, kept, jobs=False, clock=clock) as it:
        ended = await run_to_completion(it, await it.accepted(), clock)
    assert (ended.source, ended.verification) == ("away", "verified")
    assert (len(away.asked), len(kept.asked)) == (2, 1)


async def test_an_answer_that_has_no_room_is_lost_and_the_vendor_not_asked_again(
    place: Place,
) -> None:
    vendor = scripted_vendor(Hit(email="a" * 300 + "@example.com"))
    async with running_service(place, vendor) as it:
        body = await it.final(await it.accepted())
    assert (body["status"], body["reason"], len(vendor.asked)) == ("failed", "answer-lost", 1)


async def test_an_adapter_with_a_defect_may_have_cost_money_and_the_next_source_is_asked(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def defect() -> None:
        if broken.asked:
            raise KeyError(ADAS)

    broken = scripted_vendor(HIT, name="broken", interrupt=defect)
    async with running_service(place, broken, scripted_vendor(UNVERIFIED, name="next")) as it:
        body = await it.final(await it.accepted())
    assert (body["source"], len(broken.asked)) == ("next", 1)
    assert "KeyError" in caplog.text
    assert ADAS not in caplog.text


async def test_a_vendor_that_never_answers_has_lost_the_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        name, terms, email_types = "silent", Terms(hit=1), frozenset(EmailType)

        async def find(self, *_: object) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr(vendor_calls, "CALL_SECONDS", 0.01)
    async with running_service(place, Silent()) as it:
        body = await it.final(await it.accepted())
    assert body["reason"] == "answer-lost"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(WORKING, "answer-lost"), (Miss(), "sources-unavailable")],
)
async def test_a_lookup_that_is_given_up_says_whether_it_may_have_been_paid_for(
    place: Place, answer: Hit | InProgress | Miss, reason: str
) -> None:
    vendors = [scripted_vendor(answer), scripted_vendor(Unavailable(), name="away")]
    async with running_service(place, *vendors, jobs=False) as it:
        job = await _job(it)
        await lookup_job.look_up(it.service, job)
        await lookup_job.give_up(it.service, job)
        body = (await it.get(job.target_id)).json()
    assert (body["status"], body["reason"]) == ("failed", reason)


async def test_an_answer_that_comes_after_it_was_given_up_for_lost_is_used_all_the_same(
    place: Place,
) -> None:
    """The process of the call was stopped for two minutes, as when a laptop is closed."""
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        job = await _job(it)
        answers = anyio.Event()
        slow, other = Slow(HIT, answers), scripted_vendor(WORKING, name="other", tells=(WORKING,))
        service = replace(it.service, sources=[slow, other])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lookup_job.look_up, service, job)
            await slow.asked.wait()
            clock.now += vendor_calls.ABANDONED_SECONDS
            assert await lookup_job.look_up(service, job) == Reschedule(20.0)
            assert it.rows("SELECT state FROM source_calls WHERE source = 'slow'") == [("lost",)]
            answers.set()
        body = (await it.get(job.target_id)).json()
    assert (body["source"], body["verification"]) == ("slow", "verified")


class Slow:
    """A vendor that sets `asked` when it is called, and answers after `may_answer`."""

    name, terms, email_types = "slow", Terms(hit=1), frozenset(EmailType)

    def __init__(self, answer: Hit, may_answer: anyio.Event) -> None:
        self.asked, self.may_answer, self.answer = anyio.Event(), may_answer, answer

    async def find(self, *_: object) -> Hit:
        assert not self.asked.is_set(), "it is called once"
        self.asked.set()
        await self.may_answer.wait()
        return self.answer


async def _job(it: RunningService) -> Job:
    return Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
