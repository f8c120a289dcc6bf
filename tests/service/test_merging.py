"""Contacts of the same person from several exports are merged."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.models import EmailType, Reason
from mcp_enrichment.service.contacts.contact_import import (
    first_contacts,
    import_contacts,
)
from mcp_enrichment.service.contacts.own_sources import ContactsSource
from mcp_enrichment.service.db.postgres import migrate_postgres
from mcp_enrichment.service.sources.base import Hit, Miss
from mcp_enrichment.service.sources.exports.records import Contact, InvalidExport
from tests.cli.commands import Shell
from tests.support.databases import open_place
from tests.support.running_service import ADA, rows, running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.db.database import Database
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
LAST_YEAR, THIS_YEAR = 1_760_000_000.0, 1_790_000_000.0


def ada(email: str, seen_at: float | None = None, **others: Any) -> Contact:
    known: dict[str, Any] = {
        "profile": ADA,
        "email_type": EmailType.WORK,
        "first_name": "Ada",
        "last_name": "Okafor",
        "company": "",
        "position": "",
        "connected_on": None,
    }
    return Contact(email=email, seen_at=seen_at, **known | others)


async def answer(database: Database, email_type: EmailType = EmailType.WORK) -> str | None:
    found = await ContactsSource(database).find(ADA, email_type)
    return found.email if isinstance(found, Hit) else None


async def test_the_newest_address_answers_and_both_are_kept_with_where_they_came_from(
    database: Database,
) -> None:
    import_contacts(database, [ada("old@example.com", LAST_YEAR)], source="linkedin")
    import_contacts(database, [ada("new@example.com", THIS_YEAR)], source="hubspot")
    assert await answer(database) == "new@example.com"
    kept, _ = first_contacts(database, 10)
    assert [(row.email, row.source, row.seen_at) for row in kept] == [
        ("new@example.com", "hubspot", THIS_YEAR),
        ("old@example.com", "linkedin", LAST_YEAR),
    ]


async def test_an_older_export_takes_nothing_from_a_newer_one(database: Database) -> None:
    for source in ("linkedin", "hubspot"):
        import_contacts(database, [ada("new@example.com", THIS_YEAR)], source=source)
        import_contacts(database, [ada("old@example.com", LAST_YEAR)], source=source)
    assert await answer(database) == "new@example.com"
    late = ada("new@example.com", LAST_YEAR, company="Before")
    import_contacts(database, [late], source="linkedin")
    kept, _ = first_contacts(database, 10)
    assert {row.company for row in kept} == {""}


async def test_without_a_date_what_is_imported_last_is_the_newest(database: Database) -> None:
    import_contacts(database, [ada("one@example.com")], source="csv")
    import_contacts(database, [ada("two@example.com")], source="csv")
    assert await answer(database) == "two@example.com"


async def test_of_the_addresses_of_one_row_the_main_one_answers(database: Database) -> None:
    both = [ada("z@example.com", THIS_YEAR), ada("a@example.com", THIS_YEAR, rank=1)]
    import_contacts(database, both, source="apollo")
    assert await answer(database) == "z@example.com"


async def test_a_date_in_the_future_wins_only_until_the_next_import(database: Database) -> None:
    import_contacts(database, [ada("odd@example.com", time.time() + 1e6)], source="csv")
    import_contacts(database, [ada("new@example.com")], source="csv")
    assert await answer(database) == "new@example.com"


async def test_an_address_without_a_profile_is_kept_and_answers_nobody(
    database: Database, place: Place
) -> None:
    import_contacts(database, [ada("ada@EXAMPLE.com", profile=None)], source="outlook")
    nothing = await ContactsSource(database).find(ADA, EmailType.WORK)
    assert nothing == Miss(reason=Reason.NO_CONTACTS)
    assert rows(place, "SELECT first_name, email FROM contact_emails") == [
        ("Ada", "ada@EXAMPLE.com")
    ]


async def test_an_import_that_breaks_off_has_stored_nothing(database: Database) -> None:
    def broken() -> Iterator[Contact]:
        for number in range(60_000):
            yield ada(f"{number}@example.com")
        raise InvalidExport.because(Path("x.csv"), "is damaged")

    with pytest.raises(InvalidExport):
        import_contacts(database, broken(), source="csv")
    nothing = await ContactsSource(database).find(ADA, EmailType.WORK)
    assert nothing == Miss(reason=Reason.NO_CONTACTS)


async def test_others_may_write_while_an_import_reads(database: Database, place: Place) -> None:
    other = open_place(place)

    def interrupted() -> Iterator[Contact]:
        for number in range(60_000):
            if number % 20_000 == 0:
                import_contacts(other, [ada(f"{number}@example.org")], source="other")
            yield ada(f"{number}@example.com")

    report = import_contacts(database, interrupted(), source="csv")
    other.close()
    assert (report.stored, report.read, report.new) == (60_000, 60_000, 60_000)
    assert rows(place, "SELECT count(*) FROM contact_emails") == [(60_003,)]


def test_two_concurrent_imports_of_one_file_count_each_address_as_new_once(place: Place) -> None:
    databases = [open_place(place), open_place(place)]
    people = [ada(f"{number}@example.com") for number in range(20_000)]
    with ThreadPoolExecutor() as threads:
        begun = [threads.submit(import_contacts, one, people, source="csv") for one in databases]
    for database in databases:
        database.close()
    assert sum(done.result().new for done in begun) == len(people)
    assert rows(place, "SELECT count(*) FROM contact_emails") == [(len(people),)]


async def test_a_request_is_not_held_up_by_an_import_of_another_process(
    place: Place, tmp_path: Path
) -> None:
    shell = Shell(tmp_path)
    where = {} if isinstance(place, Path) else {"DATABASE_URL": place}
    export = tmp_path / "people.csv"
    lines = (f"https://linkedin.com/in/pat-{n}-example,{n}@example.com" for n in range(100_000))
    export.write_text("\n".join(("Profile,Mail", *lines)), "utf-8")
    async with running_service(place, jobs=False, credits=1_000_000) as it:
        options = ("import", str(export), "--map", "url=Profile,email=Mail")
        importing = shell.start("contacts", *options, **where)
        for number in count():
            await it.accepted(linkedin_url=f"https://www.linkedin.com/in/asked-{number}")
            if importing.poll() is not None:
                break
    out, err = importing.communicate()
    assert "Stored 100,000 with an address, 100,000 of them new." in out, err
    assert number >= 10, "many requests were accepted during one import"


def test_a_migration_keeps_imported_contacts(
    empty: Place,
) -> None:
    if isinstance(empty, str):
        migrate_postgres(empty)
    before = open_place(empty)
    before.write_now(
        lambda c: c.exec_driver_sql(
            "INSERT INTO contact_emails VALUES ('https://www.linkedin.com/in/ada', 'work',"
            " 'Ada@example.com', 'linkedin', 'Ada', 'Okafor', '', '', '2024-03-05', 5.0, 0, 5.0)"
        )
    )
    before.close()
    if isinstance(empty, str):
        migrate_postgres(empty)
    database = open_place(empty)
    [row], _ = first_contacts(database, 10)
    database.close()
    assert (row.email, row.seen_at) == ("Ada@example.com", 5.0)
    assert (row.source, row.connected_on, row.rank) == ("linkedin", "2024-03-05", 0)
