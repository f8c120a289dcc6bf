"""An outcome is a miss only if every source was queried and had no address."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.app.service import embedded_service
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.contacts.own_sources import ContactsSource
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.lookup import lookup_job
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Hit, Misconfigured, Unavailable
from mcp_enrichment.service.sources.exports.records import Contact
from mcp_enrichment.settings import Settings
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    MISS,
    FixedSource,
    ledger_is_exact,
    running_service,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
DOWN, WRONG = Unavailable(), Misconfigured()
AWAY = Unavailable(retry_after=86_400)


@pytest.mark.parametrize(
    ("outcomes", "status", "reason"),
    [
        ([MISS, MISS], "not-found", None),
        ([MISS, HIT], "completed", None),
        ([WRONG, HIT], "completed", None),
        ([DOWN, HIT], "completed", None),
        ([MISS, WRONG], "failed", "sources-misconfigured"),
        ([WRONG, MISS], "failed", "sources-misconfigured"),
        ([], "failed", "sources-misconfigured"),
    ],
)
async def test_the_sources_together_decide_the_end(
    place: Place, outcomes: list[Outcome], status: str, reason: str | None
) -> None:
    async with running_service(place, *map(FixedSource, outcomes)) as it:
        body = await it.final(await it.accepted())
    assert (body["status"], body.get("reason")) == (status, reason)


async def test_the_first_hit_wins_and_is_kept_with_its_source(place: Place) -> None:
    verified = Hit(email="first@example.com", verification=Verification.VERIFIED)
    first, second = FixedSource(verified, name="one"), FixedSource(HIT, name="two")
    async with running_service(place, FixedSource(MISS), first, second) as it:
        body = await it.final(await it.accepted())
        assert it.rows("SELECT source FROM requests") == [("one",)]
    assert body["email"]["email"] == "first@example.com"
    assert second.asked == []


async def test_an_unavailable_source_is_asked_again_later_and_later_and_then_it_failed(
    place: Place,
) -> None:
    async with running_service(place, FixedSource(MISS), FixedSource(DOWN), jobs=False) as it:
        request_id = await it.accepted()
        verdicts = []
        for _ in range(lookup_job.MAX_SOURCE_ATTEMPTS):
            job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
            verdicts.append(await look_up(it.service, job))
        assert verdicts == [
            Reschedule(2.0),
            Reschedule(4.0),
            Reschedule(8.0),
            Reschedule(16.0),
            None,
        ]
        body = (await it.get(request_id)).json()
    assert (body["status"], body["reason"]) == ("failed", "sources-unavailable")
    ledger_is_exact(place)


async def test_a_source_that_says_when_to_come_back_is_not_asked_before(place: Place) -> None:
    async with running_service(
        place, FixedSource(Unavailable(retry_after=90)), FixedSource(DOWN), jobs=False
    ) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        assert await look_up(it.service, job) == Reschedule(90)


@pytest.mark.parametrize(
    ("next_says", "status", "reason"),
    [(HIT, "completed", None), (MISS, "failed", "sources-unavailable")],
)
async def test_a_source_that_asks_to_wait_for_hours_holds_no_request_and_no_credit(
    place: Place, next_says: Outcome, status: str, reason: str | None
) -> None:
    async with running_service(place, FixedSource(AWAY), FixedSource(next_says), jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        assert await look_up(it.service, job) is None
        body = (await it.get(job.target_id)).json()
        assert await it.balance() == (9 if status == "completed" else 10)
    assert (body["status"], body.get("reason")) == (status, reason)
    ledger_is_exact(place)


async def test_while_one_source_is_away_for_hours_another_is_waited_for(place: Place) -> None:
    brief = FixedSource(DOWN, HIT)
    async with running_service(place, FixedSource(AWAY), brief, jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        assert await look_up(it.service, job) == Reschedule(2.0)
        assert await look_up(it.service, job) is None
        assert (await it.get(job.target_id)).json()["status"] == "completed"


@pytest.mark.parametrize(("then", "status"), [(HIT, "completed"), (MISS, "not-found")])
async def test_a_source_that_comes_back_still_gives_its_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch, then: Outcome, status: str
) -> None:
    monkeypatch.setattr(lookup_job, "FIRST_DELAY", 0.001)
    source = FixedSource(DOWN, DOWN, then)
    async with running_service(place, source) as it:
        assert (await it.final(await it.accepted()))["status"] == status
    assert len(source.asked) == 3


async def test_sources_that_stay_away_make_a_failure_never_a_miss(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_job, "FIRST_DELAY", 0.001)
    source = FixedSource(DOWN)
    async with running_service(place, source) as it:
        body = await it.final(await it.accepted())
    assert body["status"] == "failed"
    assert "email" not in body
    assert len(source.asked) == lookup_job.MAX_SOURCE_ATTEMPTS


async def test_a_contact_answers_for_its_own_kind_of_address_only(place: Place) -> None:
    async with running_service(place, jobs=False) as asker:
        database = asker.service.database
        async with running_service(place, ContactsSource(database)) as it:
            empty = await it.final(await it.accepted())
            import_contacts(database, [_ada()], source="linkedin")
            work = await it.final(await it.accepted())
            personal = await it.final(await it.accepted(type="personal"))
    assert (empty["status"], empty["reason"]) == ("not-found", "no-contacts")
    assert (work["status"], work["email"]) == ("completed", {"email": ADAS, "type": "work"})
    assert (personal["status"], "reason" in personal) == ("not-found", False)


async def test_the_composed_service_answers_from_the_contacts_in_its_data_folder(
    tmp_path: Path,
) -> None:
    import httpx

    from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
    from mcp_enrichment.service.http.app import create_app

    chosen = Settings(data_dir=tmp_path)
    database = open_sqlite(chosen.database_file)
    import_contacts(database, [_ada()], source="linkedin")
    database.close()
    async with embedded_service(chosen) as (service, _team_id):
        create = partial(api_keys.create, team=DEFAULT_TEAM, at=0)
        headers = {"x-api-key": (await service.database.write(create)).key}
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://it", headers=headers
        ) as http:
            asked = {"linkedin_url": ADA, "type": "work"}
            request_id = (await http.post(ENRICHMENTS, json=asked)).json()["_id"]
            wait = {"prefer": "wait=60"}
            body = (await http.get(f"{ENRICHMENTS}/{request_id}", headers=wait)).json()
            balance = (await http.get(CREDITS)).json()
    assert (body["status"], body["email"]["email"]) == ("completed", ADAS)
    assert balance == {"balance": 249, "held": 0}


def _ada() -> Contact:
    return Contact(
        profile=ADA,
        email=ADAS,
        email_type=EmailType.WORK,
        first_name="Ada",
        last_name="Okafor",
        company="",
        position="",
        connected_on=date(2024, 3, 5),
    )
