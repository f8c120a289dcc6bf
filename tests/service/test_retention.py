"""Personal data that a lookup found is deleted after a time, without a request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import update

from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.context import Retention
from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy import retention
from mcp_enrichment.service.privacy.retention import delete_expired, run_retention
from tests.support.databases import rows
from tests.support.exports import ADA_READ
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    Clock,
    FixedSource,
    ledger_is_exact,
    running_service,
    until,
)
from tests.support.sql_statements import statements

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.service.context import ServiceContext
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
DAY = 86_400.0


async def test_an_answer_is_deleted_after_ninety_days_unless_told_otherwise(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(HIT), clock=clock) as it:
        request_id = await it.accepted(external_id="lead-42")
        before = await it.final(request_id)
        clock.now += 90 * DAY - 1
        assert await delete_expired(it.service) == 0
        assert (await it.get(request_id)).json() == before
        clock.now += 2
        assert await delete_expired(it.service) == 2, "the request, and the call of its source"
        after = (await it.get(request_id)).json()
        assert await delete_expired(it.service) == 0
        kept = it.rows("SELECT linkedin_url, email, external_id, status FROM requests")
    told = {"status": "not-found", "reason": "expired", "email": None, "linkedin_url": ""}
    gone = {"external_id", "source", "verification"}
    assert after == {key: before[key] for key in before if key not in gone} | told
    assert kept == [("", "", None, "completed")]
    ledger_is_exact(place)


async def test_the_profile_of_an_expired_miss_is_deleted(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(MISS), clock=clock) as it:
        await it.final(await it.accepted())
        clock.now += 91 * DAY
        await delete_expired(it.service)
        assert it.rows("SELECT linkedin_url, email, reason FROM requests") == [
            ("", None, "expired")
        ]


@pytest.mark.parametrize("table", ["contact_emails", "contact_persons"])
async def test_expired_imports_are_found_by_an_index(path: Path, table: str) -> None:
    async with running_service(path, jobs=False) as it:
        with statements(it.service.database._engine) as said:
            await it.service.database.read(
                lambda c: retention.imported_before(c, it.service.clock(), limit=500)
            )
        ((statement, values),) = [one for one in said if f"FROM {table}" in one[0]]
        plan = str(rows(path, f"EXPLAIN QUERY PLAN {statement}", *values))
    assert f"{table}_by_import" in plan
    assert "TEMP B-TREE" not in plan


async def test_a_running_request_is_never_too_old(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(HIT), clock=clock, jobs=False) as it:
        await it.accepted()
        clock.now += 9999 * DAY
        assert await delete_expired(it.service) == 0


async def test_an_expired_answer_can_be_requested_again(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(HIT), clock=clock) as it:
        first = await it.accepted()
        await it.final(first)
        clock.now += 91 * DAY
        await delete_expired(it.service)
        again = await it.final(await it.accepted())
    assert again["_id"] != first
    assert (again["status"], again["linkedin_url"]) == ("completed", ADA)


async def test_all_expired_rows_are_deleted_in_batches(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    clock = Clock()
    async with running_service(place, FixedSource(MISS), clock=clock) as it:
        for n in range(5):
            await it.final(await it.accepted(linkedin_url=f"{ADA}-{n}"))
        clock.now += 91 * DAY
        assert await delete_expired(it.service) == 10
        counts = it.rows("SELECT actor, action, pseudonym, counts FROM audit_log")
    of = [
        ("service", "expire", None, f'{{"source_calls": {n}, "requests": {n}}}') for n in (2, 2, 1)
    ]
    assert counts == of


async def test_two_services_share_the_work_and_count_nothing_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    clock = Clock()
    async with (
        running_service(place, FixedSource(MISS), clock=clock) as one,
        running_service(place, FixedSource(MISS), clock=clock) as two,
    ):
        for n in range(8):
            await one.final(await one.accepted(linkedin_url=f"{ADA}-{n}"))
        clock.now += 91 * DAY
        deleted = []

        async def delete(service: ServiceContext) -> None:
            deleted.append(await delete_expired(service))

        async with anyio.create_task_group() as tasks:
            for it in (one, two):
                tasks.start_soon(delete, it.service)
        assert sum(deleted) == 16
        assert one.rows("SELECT count(*) FROM audit_log WHERE action = 'expire'") == [(8,)]


@pytest.mark.parametrize(("kept", "left"), [(None, 1), (30 * DAY, 0)])
async def test_contacts_are_kept_unless_a_time_is_set(
    place: Place, kept: float | None, left: int
) -> None:
    clock = Clock()
    async with running_service(place, clock=clock, retention=Retention(contacts=kept)) as it:
        import_contacts(
            it.service.database,
            [ADA_READ, replace(ADA_READ, profile=f"{ADA}-2")],
            source="linkedin",
        )
        await it.service.database.write(
            lambda c: c.exec_driver_sql(
                "UPDATE contact_emails SET imported_at = 20 * 86400 * "
                "CASE WHEN linkedin_url LIKE '%%-2' THEN 2 ELSE 1 END"
            )
        )
        clock.now = 60 * DAY
        await delete_expired(it.service)
        assert it.rows("SELECT count(*) FROM contact_emails WHERE linkedin_url = ?", ADA) == [
            (left,)
        ]
        assert it.rows("SELECT count(*) FROM contact_emails") == [(left + 1,)]


async def test_a_contact_that_is_imported_again_is_kept_from_then_on(
    place: Place,
) -> None:
    contact = replace(ADA_READ, seen_at=DAY)
    async with running_service(place, retention=Retention(contacts=30 * DAY)) as it:
        import_contacts(it.service.database, [contact], source="hubspot")
        for table in (schema.contact_emails, schema.contact_persons):
            long_ago = update(table).values(imported_at=DAY)
            await it.service.database.write(lambda c, change=long_ago: c.execute(change))
        import_contacts(it.service.database, [contact], source="hubspot")
        await delete_expired(it.service)
        assert it.rows("SELECT count(*) FROM contact_emails") == [(1,)]
        assert it.rows("SELECT count(*) FROM contact_persons") == [(1,)]


async def test_a_service_deletes_from_its_start_on(place: Place) -> None:
    clock = Clock()
    async with running_service(place, FixedSource(MISS), clock=clock) as it:
        await it.final(await it.accepted())
        clock.now += 91 * DAY
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_retention, it.service)
            await until(lambda: it.rows("SELECT linkedin_url FROM requests") == [("",)])
            tasks.cancel_scope.cancel()
