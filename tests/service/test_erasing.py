"""What a person relies on who asks to be erased: what is stored about them goes, what others were
charged stays, and nothing brings them back."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy.exc import IntegrityError

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.domain import privacy
from mcp_enrichment.service.domain.contacts import import_contacts
from mcp_enrichment.service.domain.privacy import Erased, Subject
from mcp_enrichment.service.store.database import Database, open_sqlite
from tests.support.exports import ADA_READ
from tests.support.far_end import far_end, hangs
from tests.support.serving import (
    ADA,
    ADAS,
    HIT,
    Says,
    Serving,
    Slow,
    ledger_is_exact,
    rows,
    serving,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.service.sources.exports.contact import Contact

pytestmark = pytest.mark.anyio
PROFILE, ADDRESS = Subject(profile=ADA), Subject(address="ADA@example.com")
NAMED = re.compile("ada[-@.]|okafor", re.IGNORECASE)
GRACE = replace(ADA_READ, profile="https://www.linkedin.com/in/grace", email="grace@example.com")


def erase(database: Database, subject: Subject, *, suppressing: bool = True) -> Erased:
    return privacy.erase(database, subject, suppressing=suppressing, at=time.time())


def with_contacts(path: Path, *contacts: Contact) -> Database:
    database = open_sqlite(path)
    import_contacts(database, contacts, source="linkedin")
    return database


def everything(it: Serving) -> str:
    tables = it.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    return str([it.rows(f"SELECT * FROM {name}") for (name,) in tables])  # noqa: S608


@pytest.mark.parametrize("subject", [PROFILE, ADDRESS], ids=["by profile", "by address"])
async def test_what_was_asked_about_a_person_is_emptied_and_stays_paid(
    path: Path, subject: Subject
) -> None:
    async with far_end() as receiver, serving(path, Says(HIT), allow_private=True) as it:
        receiver.always(hangs())
        request_id = await it.accepted(callback_url=f"{receiver.url}/{ADAS}", external_id=ADAS)
        await it.post(headers={"idempotency-key": ADAS}, type="personal", external_id="ada-lead")
        await it.final(request_id)
        await until(lambda: len(it.rows("SELECT * FROM requests WHERE ended_at > 0")) == 2)
        erased = erase(it.service.database, subject)
        body = (await it.get(request_id)).json()
        kept = everything(it)
    assert erased.removed["requests"] == 2
    told = {"_id": request_id, "status": "not-found", "reason": "erased", "credits_charged": 1}
    assert body == body | told | {"linkedin_url": "", "email": None}
    assert "external_id" not in body
    assert not NAMED.search(kept)
    ledger_is_exact(path)


async def test_a_running_request_ends_at_once_and_what_its_source_then_says_is_dropped(
    path: Path,
) -> None:
    source = Slow(HIT)
    async with serving(path, source) as it, anyio.create_task_group() as tasks:
        request_id = await it.accepted()
        await source.asked.wait()
        told = []

        async def hold() -> None:
            told.append(await it.final(request_id))

        tasks.start_soon(hold)
        erase(it.service.database, PROFILE)
        with anyio.fail_after(5):
            while not told:
                await anyio.lowlevel.checkpoint()
        source.may_answer.set()
        await until(lambda: it.rows("SELECT * FROM jobs") == [])
        assert await it.balance() == 10
        assert not NAMED.search(everything(it))
    assert (told[0]["status"], told[0]["reason"]) == ("not-found", "erased")
    ledger_is_exact(path)


async def test_an_erased_person_is_not_found_again_by_lookup_or_import(path: Path) -> None:
    source = Says(HIT)
    async with serving(path, source) as it:
        import_contacts(it.service.database, [ADA_READ], source="linkedin")
        erase(it.service.database, PROFILE)
        again = import_contacts(
            it.service.database, [replace(ADA_READ, profile=GRACE.profile)], source="linkedin"
        )
        assert again.stored == 0, "the address is suppressed as well as the profile"
        answer = await it.final(await it.accepted())
    assert (answer["status"], answer["reason"]) == ("not-found", "suppressed")
    assert source.asked == []


async def test_whoever_is_erased_without_suppressing_may_be_found_again(path: Path) -> None:
    async with serving(path, Says(HIT)) as it:
        await it.final(await it.accepted())
        erased = erase(it.service.database, PROFILE, suppressing=False)
        again = await it.final(await it.accepted())
    assert erased.suppressed == 0
    assert again["email"]["email"] == ADAS


def test_an_address_of_one_profile_alone_stands_for_the_whole_person(path: Path) -> None:
    home = replace(ADA_READ, email="ada@freemail.example", kind=EmailType.PERSONAL)
    database = with_contacts(path, ADA_READ, home, GRACE)
    erased = erase(database, ADDRESS)
    database.close()
    assert erased.removed == {"contacts": 2, "people": 1}
    assert rows(path, "SELECT email FROM contacts") == [("grace@example.com",)]
    assert erased.suppressed == 3, "the profile and both addresses"


def test_of_a_shared_address_only_what_holds_it_is_erased(path: Path) -> None:
    shared = [replace(one, email="Office@example.com") for one in (ADA_READ, GRACE)]
    home = replace(ADA_READ, email="ada@freemail.example", kind=EmailType.PERSONAL)
    database = with_contacts(path, *shared, home)
    erased = erase(database, Subject(address="office@EXAMPLE.com"))
    database.close()
    assert (erased.shared_by, erased.suppressed) == (2, 1)
    assert erased.removed == {"contacts": 2, "people": 2}
    assert rows(path, "SELECT email FROM contacts") == [("ada@freemail.example",)]


@pytest.mark.parametrize("email", ["Ada@freemail.example", "Ada@example.com", "Ada@bücher.example"])
def test_an_address_without_a_profile_goes_from_every_table(path: Path, email: str) -> None:
    database = with_contacts(path, replace(ADA_READ, profile=None, email=email), GRACE)
    erase(database, Subject(address=email.lower()))
    assert database.scrub_now()
    database.close()
    assert email.encode() not in path.read_bytes()


def test_by_profile_the_address_goes_wherever_else_it_stands(path: Path) -> None:
    old_profile = replace(
        ADA_READ, profile="https://www.linkedin.com/in/ada-old", email="ADA@example.com"
    )
    database = with_contacts(path, ADA_READ, old_profile, GRACE)
    erase(database, PROFILE)
    database.close()
    assert rows(path, "SELECT email FROM contacts") == [("grace@example.com",)]


def test_what_was_deleted_before_leaves_nothing_in_the_files_either(path: Path) -> None:
    database = with_contacts(path, *(replace(GRACE, profile=f"{ADA}{n}") for n in range(400)))
    with closing(sqlite3.connect(path)) as careless:
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute("UPDATE contacts SET email = 'ada@example.com' WHERE rowid % 3 = 0")
        careless.execute("DELETE FROM contacts WHERE rowid % 3 = 0")
        careless.commit()
    files = [path, path.with_name(f"{path.name}-wal")]
    assert any(ADAS.encode() in file.read_bytes() for file in files), "it was there"
    assert database.scrub_now()
    assert not any(ADAS.encode() in file.read_bytes() for file in files)
    database.close()


def test_a_reader_that_stays_keeps_the_files_from_being_scrubbed_and_that_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.store.database.BUSY_TIMEOUT", 0.01)
    database = with_contacts(path, ADA_READ)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM contacts").fetchall()
        erase(database, PROFILE)
        assert not database.scrub_now()
        reader.execute("ROLLBACK")
        assert database.scrub_now()
    database.close()


async def test_a_person_is_told_all_that_is_stored_about_them(path: Path) -> None:
    async with serving(path, Says(HIT)) as it:
        import_contacts(it.service.database, [ADA_READ, GRACE], source="linkedin")
        request_id = await it.accepted(external_id="lead-42")
        await it.final(request_id)
        privacy.suppress(it.service.database, ADDRESS, at=5.0)
        told = privacy.export(it.service.database, PROFILE, at=6.0)
    assert json.loads(json.dumps(told)) == told
    assert (told["profiles"], told["addresses"]) == ([ADA], [ADAS])
    (contact,), (request,) = told["contacts"], told["requests"]
    assert (contact["first_name"], contact["source"]) == ("Ada", "linkedin")
    assert (request["id"], request["external_id"]) == (request_id, "lead-42")
    assert (request["email"], request["source"]) == (ADAS, "scripted")
    assert told["suppressed"] is True
    assert told["audit"] == [{"at": 5.0, "action": "suppress"}]


@pytest.mark.parametrize("change", ["UPDATE audit SET at = 0", "DELETE FROM audit"])
def test_the_audit_trail_cannot_be_changed(path: Path, change: str) -> None:
    database = with_contacts(path, ADA_READ)
    erase(database, PROFILE)
    before = rows(path, "SELECT actor, action, counts FROM audit")
    with pytest.raises(IntegrityError, match="only ever added"):
        database.write_now(lambda c: c.exec_driver_sql(change))
    database.close()
    assert rows(path, "SELECT actor, action, counts FROM audit") == before
    assert before == [
        ("operator", "import", '{"contacts": 1, "suppressed": 0}'),
        ("operator", "erase", '{"people": 1, "contacts": 1, "suppressions": 2}'),
    ]
