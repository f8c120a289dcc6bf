"""An erasure removes what is stored about a person and keeps what others were charged; nothing
brings the person back."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db import schema
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import ErasureResult, NamedSubject
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.sources.base import InProgress, Unavailable
from tests.support.databases import open_place
from tests.support.exports import ADA_READ
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    FixedSource,
    SlowSource,
    ledger_is_exact,
    rows,
    running_service,
    until,
)
from tests.support.scripted_server import hangs, scripted_server
from tests.support.scripted_vendors import scripted_vendor
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.exports.records import Contact
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
PROFILE, ADDRESS = NamedSubject(profile=ADA), NamedSubject(address="ADA@example.com")
NAMED = re.compile("ada[-@.]|okafor", re.IGNORECASE)
GRACE = replace(ADA_READ, profile="https://www.linkedin.com/in/grace", email="grace@example.com")


def erase(database: Database, subject: NamedSubject, *, suppressing: bool = True) -> ErasureResult:
    return subject_requests.erase(database, subject, suppressing=suppressing, at=time.time())


def with_contacts(place: Place, *contacts: Contact) -> Database:
    database = open_place(place)
    import_contacts(database, contacts, source="linkedin")
    return database


def everything(place: Place) -> str:
    return str([rows(place, f"SELECT * FROM {name}") for name in schema.metadata.tables])  # noqa: S608


@pytest.mark.parametrize("subject", [PROFILE, ADDRESS], ids=["by profile", "by address"])
async def test_requests_about_an_erased_person_are_redacted_and_stay_charged(
    place: Place, subject: NamedSubject
) -> None:
    async with (
        scripted_server() as receiver,
        running_service(place, FixedSource(HIT), allow_private=True) as it,
    ):
        receiver.always(hangs())
        request_id = await it.accepted(callback_url=f"{receiver.url}/{ADAS}", external_id=ADAS)
        await it.post(headers={"idempotency-key": ADAS}, type="personal", external_id="ada-lead")
        await it.final(request_id)
        await until(lambda: len(it.rows("SELECT * FROM requests WHERE completed_at > 0")) == 2)
        erased = erase(it.service.database, subject)
        body = (await it.get(request_id)).json()
        kept = everything(place)
    assert erased.removed["requests"] == 2
    told = {"_id": request_id, "status": "not-found", "reason": "erased", "credits_charged": 1}
    assert body == body | told | {"linkedin_url": "", "email": None}
    assert "external_id" not in body
    assert not NAMED.search(kept)
    ledger_is_exact(place)


async def test_a_running_request_ends_at_once_and_what_its_source_then_says_is_dropped(
    place: Place,
) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source) as it, anyio.create_task_group() as tasks:
        request_id = await it.accepted()
        await source.asked.wait()
        told = []

        async def hold() -> None:
            told.append(await it.final(request_id))

        tasks.start_soon(hold)
        erase(it.service.database, PROFILE)
        with anyio.fail_after(HANG):
            while not told:
                await anyio.lowlevel.checkpoint()
        source.may_answer.set()
        await until(lambda: it.rows("SELECT * FROM jobs") == [])
        assert await it.balance() == 10
        assert not NAMED.search(everything(place))
    assert (told[0]["status"], told[0]["reason"]) == ("not-found", "erased")
    ledger_is_exact(place)


async def test_the_job_id_that_a_vendor_sends_after_the_erasure_is_not_stored(place: Place) -> None:
    vendor = scripted_vendor(InProgress(job_id="job-of-ada", poll_after=1.0))
    async with running_service(place, vendor, jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)

        def erase_once_asked() -> None:
            if vendor.asked:
                erase(it.service.database, PROFILE)

        vendor.interrupt = erase_once_asked
        await look_up(it.service, job)
        assert vendor.asked == [ADA]
        assert it.rows("SELECT vendor_job_id FROM source_calls") == [(None,)]


async def test_a_lookup_that_an_erasure_has_ended_asks_no_vendor_any_more(place: Place) -> None:
    slow = scripted_vendor(InProgress(job_id="job-of-ada", poll_after=0.0), name="slow")
    first = scripted_vendor(Unavailable(retry_after=0.0), Unavailable(), name="first")
    async with running_service(place, first, slow, jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        await look_up(it.service, job)
        assert (first.asked, slow.asked) == ([ADA], [ADA])

        first.interrupt = lambda: erase(it.service.database, PROFILE)
        await look_up(it.service, job)
        assert (first.asked, slow.asked) == ([ADA, ADA], [ADA]), "nor pays it a second time"


async def test_an_erased_person_is_not_found_again_by_lookup_or_import(place: Place) -> None:
    source = FixedSource(HIT)
    async with running_service(place, source) as it:
        import_contacts(it.service.database, [ADA_READ], source="linkedin")
        erase(it.service.database, PROFILE)
        again = import_contacts(
            it.service.database, [replace(ADA_READ, profile=GRACE.profile)], source="linkedin"
        )
        assert again.stored == 0, "the address is suppressed as well as the profile"
        answer = await it.final(await it.accepted())
    assert (answer["status"], answer["reason"]) == ("not-found", "suppressed")
    assert source.asked == []


async def test_a_person_erased_without_suppressing_may_be_found_again(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        await it.final(await it.accepted())
        erased = erase(it.service.database, PROFILE, suppressing=False)
        again = await it.final(await it.accepted())
    assert erased.suppressed == 0
    assert again["email"]["email"] == ADAS


def test_an_address_of_one_profile_alone_stands_for_the_whole_person(place: Place) -> None:
    home = replace(ADA_READ, email="ada@freemail.example", email_type=EmailType.PERSONAL)
    database = with_contacts(place, ADA_READ, home, GRACE)
    erased = erase(database, ADDRESS)
    database.close()
    assert erased.removed == {"contacts": 2, "people": 1}
    assert rows(place, "SELECT email FROM contact_emails") == [("grace@example.com",)]
    assert erased.suppressed == 3, "the profile and both addresses"


def test_of_a_shared_address_only_what_holds_it_is_erased(place: Place) -> None:
    shared = [replace(one, email="Office@example.com") for one in (ADA_READ, GRACE)]
    home = replace(ADA_READ, email="ada@freemail.example", email_type=EmailType.PERSONAL)
    database = with_contacts(place, *shared, home)
    erased = erase(database, NamedSubject(address="office@EXAMPLE.com"))
    database.close()
    assert (erased.shared_by, erased.suppressed) == (2, 1)
    assert erased.removed == {"contacts": 2, "people": 2}
    assert rows(place, "SELECT email FROM contact_emails") == [("ada@freemail.example",)]


@pytest.mark.parametrize("email", ["Ada@freemail.example", "Ada@example.com", "Ada@bücher.example"])
def test_an_address_without_a_profile_goes_from_every_table(place: Place, email: str) -> None:
    database = with_contacts(place, replace(ADA_READ, profile=None, email=email), GRACE)
    erase(database, NamedSubject(address=email.lower()))
    database.close()
    for table in ("contact_emails", "contact_persons"):
        assert rows(place, f"SELECT linkedin_url FROM {table}") == [(GRACE.profile,)]  # noqa: S608
    assert email.lower() not in everything(place).lower()


def test_by_profile_the_address_goes_wherever_else_it_stands(place: Place) -> None:
    old_profile = replace(
        ADA_READ, profile="https://www.linkedin.com/in/ada-old", email="ADA@example.com"
    )
    database = with_contacts(place, ADA_READ, old_profile, GRACE)
    erase(database, PROFILE)
    database.close()
    assert rows(place, "SELECT email FROM contact_emails") == [("grace@example.com",)]


async def test_a_person_is_told_all_that_is_stored_about_them(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        import_contacts(it.service.database, [ADA_READ, GRACE], source="linkedin")
        request_id = await it.accepted(external_id="lead-42")
        await it.final(request_id)
        subject_requests.suppress(it.service.database, ADDRESS, at=5.0)
        told = subject_requests.export(it.service.database, PROFILE, at=6.0)
    assert json.loads(json.dumps(told)) == told
    assert (told["profiles"], told["addresses"]) == ([ADA], [ADAS])
    (contact,), (request,) = told["contacts"], told["requests"]
    assert (contact["first_name"], contact["source"]) == ("Ada", "linkedin")
    assert (request["id"], request["external_id"]) == (request_id, "lead-42")
    assert (request["email"], request["source"]) == (ADAS, "scripted")
    assert told["suppressed"] is True
    assert told["audit"] == [{"at": 5.0, "action": "suppress"}]


async def test_an_export_leaves_out_other_people_with_the_same_address(place: Place) -> None:
    shared = [replace(one, email="office@example.com") for one in (ADA_READ, GRACE)]
    async with running_service(place, FixedSource(HIT)) as it:
        import_contacts(it.service.database, shared, source="linkedin")
        await it.final(await it.accepted())
        await it.final(await it.accepted(linkedin_url=GRACE.profile))
        told = subject_requests.export(it.service.database, PROFILE, at=6.0)
        by_address = NamedSubject(address="office@example.com")
        nobodys = subject_requests.export(it.service.database, by_address, at=7.0)
    assert "grace" not in json.dumps(told)
    assert (told["addresses_shared_by"], nobodys["addresses_shared_by"]) == (1, 2)
    assert {len(told[table]) for table in ("contacts", "people", "requests", "source_calls")} == {1}
    assert "linkedin.com" not in json.dumps(nobodys)


@pytest.mark.parametrize("change", ["UPDATE audit_log SET at = 0", "DELETE FROM audit_log"])
def test_the_audit_log_cannot_be_changed(place: Place, change: str) -> None:
    database = with_contacts(place, ADA_READ)
    erase(database, PROFILE)
    before = rows(place, "SELECT actor, action, counts FROM audit_log")
    with pytest.raises(DBAPIError, match="only ever added"):
        database.write_now(lambda c: c.exec_driver_sql(change))
    database.close()
    assert rows(place, "SELECT actor, action, counts FROM audit_log") == before
    assert before == [
        ("operator", "import", '{"contacts": 1, "suppressed": 0}'),
        ("operator", "erase", '{"people": 1, "contacts": 1, "suppressions": 2}'),
    ]
