"""Inferred addresses come from the user's own rows and are marked as inferred. None is offered
unless these rows show that they are right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.models import EmailType, Reason, Verification
from mcp_enrichment.service.contacts import person_records
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.contacts.own_sources import InferredSource
from mcp_enrichment.service.contacts.person_records import figures
from mcp_enrichment.service.privacy import personal_data_inventory
from mcp_enrichment.service.sources.base import Hit, Miss
from tests.support.company_staff import contact, profile, staff, unaddressed
from tests.support.running_service import running_service
from tests.support.sql_statements import plan_of, statements

if TYPE_CHECKING:
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.exports.records import Contact, Skipped
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
FOUND = Hit(
    email="olivia.park@lumen.example",
    verification=Verification.INFERRED,
    evidence="first.last, 60 of 60 at lumen.example",
)


def imported(database: Database, *rows: Contact | Skipped) -> None:
    import_contacts(database, rows, source="test")


LUMEN = ("Lumen Harbour, Inc.", "lumen.example")


async def inferred(database: Database, who: str = "olivia") -> Hit | Miss:
    return await InferredSource(database).find(profile(who), EmailType.WORK)


async def test_an_address_is_formed_as_those_of_colleagues(database: Database) -> None:
    olivia = unaddressed("Olivia", "Park", "LUMEN HARBOUR", "olivia")
    imported(database, *staff(*LUMEN, 60), olivia)
    assert await inferred(database) == FOUND


async def test_a_request_ends_with_what_is_inferred(database: Database, place: Place) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    async with running_service(place, InferredSource(database)) as it:
        body = await it.final(await it.accepted(linkedin_url=profile("olivia")))
        assert it.rows("SELECT source FROM requests") == [("inferred",)]
    assert (body["email"]["email"], body["evidence"]) == (FOUND.email, FOUND.evidence)


async def test_nothing_is_inferred_for_a_person_without_a_row(database: Database) -> None:
    imported(database, *staff(*LUMEN, 60))
    assert await inferred(database) == Miss()


async def test_a_personal_address_is_never_inferred(database: Database) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    asked = await InferredSource(database).find(profile("olivia"), EmailType.PERSONAL)
    assert asked == Miss()


@pytest.mark.parametrize("email_type", EmailType)
async def test_addresses_at_free_mail_teach_nothing(
    database: Database, email_type: EmailType
) -> None:
    free = [replace(row, email_type=email_type) for row in staff(LUMEN[0], "freemail.example", 60)]
    imported(database, *free, unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    assert await inferred(database) == Miss()


async def test_people_without_a_profile_teach_too(database: Database) -> None:
    nameless = [replace(row, profile="") for row in staff(*LUMEN, 60)]
    imported(database, *nameless, unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    assert await inferred(database) == FOUND


async def test_of_two_addresses_of_one_person_the_first_teaches(database: Database) -> None:
    people = [*staff(*LUMEN, 60)]
    aliases = [replace(row, email=f"a{n}@lumen.example", rank=1) for n, row in enumerate(people)]
    both = [row for pair in zip(people, aliases, strict=True) for row in pair]
    imported(database, *both, unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    assert await inferred(database) == FOUND


async def test_a_company_of_several_domains_is_not_guessed_at(database: Database) -> None:
    olivia = unaddressed("Olivia", "Park", LUMEN[0], "olivia")
    imported(database, *staff(*LUMEN, 60), *staff(LUMEN[0], "other.example", 60), olivia)
    assert await inferred(database) == Miss()


async def test_a_person_without_a_company_is_not_guessed_at(database: Database) -> None:
    nowhere = [replace(row, company="") for row in staff(*LUMEN, 60)]
    imported(database, *nowhere, unaddressed("Olivia", "Park", "", "olivia"))
    assert await inferred(database) == Miss()
    assert figures(database).offered().tested == 0


async def test_too_few_rows_to_know_how_right_it_is_offer_nothing(database: Database) -> None:
    imported(database, *staff(*LUMEN, 10), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    assert await inferred(database) == Miss()


async def test_under_95_of_100_right_nothing_is_offered(database: Database) -> None:
    rows = [*staff(*LUMEN, 64), unaddressed("Olivia", "Park", LUMEN[0], "olivia")]
    elsewhere = [replace(row, email=f"{row.first_name}@other.example") for row in rows[60:64]]
    imported(database, *rows[:60], rows[64], *elsewhere[:1])
    assert isinstance(await inferred(database), Hit)
    imported(database, *elsewhere[1:])
    assert await inferred(database) == Miss()


@pytest.mark.parametrize("learned_from", [1000, 40])
async def test_an_address_that_somebody_has_is_not_offered(
    database: Database, monkeypatch: pytest.MonkeyPatch, learned_from: int
) -> None:
    monkeypatch.setattr(person_records, "MOST_OF_A_DOMAIN", learned_from)
    other = contact("Olive", "Parker", LUMEN[0], "Olivia.Park@lumen.example")
    olivia = unaddressed("Olivia", "Park", LUMEN[0], "olivia")
    imported(database, other, *staff(*LUMEN, 61), olivia)
    assert await inferred(database) == Miss()


@pytest.mark.parametrize("pattern", ["first.last", "flast", "fl"])
async def test_two_people_who_would_get_one_address_get_none(
    database: Database, pattern: str
) -> None:
    names = {"first.last": ("Olivia", "Park"), "flast": ("Omar", "Park"), "fl": ("Omar", "Price")}
    by_address = {row.email: row for row in staff(*LUMEN, 144, pattern)}
    olivia = unaddressed("Olivia", "Park", LUMEN[0], "olivia")
    imported(database, *by_address.values(), olivia)
    assert isinstance(await inferred(database), Hit)
    imported(database, unaddressed(*names[pattern], LUMEN[0], "namesake"))
    assert await inferred(database) == Miss()


async def test_nothing_is_inferred_for_a_person_with_a_known_address(database: Database) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    imported(database, contact("Olivia", "Park", LUMEN[0], "op@lumen.example", "olivia"))
    assert await inferred(database) == Miss()
    imported(database, unaddressed("Olivia", "Park", "LUMEN HARBOUR", "olivia"))
    assert await inferred(database) == Miss()


async def test_a_person_who_changed_company_is_inferred_despite_an_old_address(
    database: Database,
) -> None:
    imported(database, *staff(*LUMEN, 60))
    imported(database, contact("Olivia", "Park", "Elsewhere", "op@elsewhere.example", "olivia"))
    imported(database, unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    assert await inferred(database) == FOUND


async def test_nothing_is_inferred_for_an_erased_person(database: Database) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    olivia = personal_data_inventory.mentioning([profile("olivia")], [])
    database.write_now(
        lambda c: personal_data_inventory.remove(c, olivia, at=0.0, reason=Reason.ERASED)
    )
    assert await inferred(database) == Miss()


async def test_figures_are_worked_out_once_after_an_import(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(database, *staff(*LUMEN, 60))
    first = figures(database)
    assert (first.known, first.offered().tested) == (60, 60)
    with statements(database._engine) as said:
        assert figures(database) == first
    assert len(said) == 1
    imported(database, *staff("Second", "second.example", 60))
    assert figures(database).known == 120


async def test_an_import_works_the_figures_out_and_who_serves_does_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))

    def late(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("mcp_enrichment.service.contacts.person_records.compute_accuracy", late)
    assert await inferred(database) == FOUND
    imported(database, *staff("Second", "second.example", 60))  # and fails to compute the figures
    assert await inferred(database) == FOUND, "with the figures before the import"


async def test_no_statement_of_a_lookup_reads_all_rows(database: Database) -> None:
    imported(database, *staff(*LUMEN, 60), unaddressed("Olivia", "Park", LUMEN[0], "olivia"))
    await inferred(database)
    with statements(database._engine) as said:
        assert await inferred(database) == FOUND
    for statement, values in said:
        plan = str(database.write_now(lambda c: plan_of(c, statement, values)))  # noqa: B023
        assert "SCAN people" not in plan, plan
        assert "Seq Scan on people" not in plan, plan
