"""Each row of each program's export is understood, or reported with the reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts.contact_import import ImportReport, import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact, Skipped
from tests.support.exporters import address_books, customers
from tests.support.exporters.people import ROWS
from tests.support.exports import read_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.support.exporters.people import Row

FORMATS = {
    "linkedin": customers.linkedin,
    "hubspot": customers.hubspot,
    "salesforce": customers.salesforce,
    "apollo": customers.apollo,
    "google-contacts": address_books.google,
    "outlook": address_books.outlook,
    "vcard 3": address_books.vcard_3,
    "vcard 4": address_books.vcard_4,
}
each_format = pytest.mark.parametrize(
    ("name", "write"), FORMATS.items(), ids=[name.replace(" ", "-") for name in FORMATS]
)


def by_row(items: Iterable[Contact | Skipped]) -> list[list[Contact | Skipped]]:
    rows: list[list[Contact | Skipped]] = []
    for item in items:
        begins = item.rank == 0 if isinstance(item, Contact) else not item.is_part
        if begins:
            rows.append([])
        rows[-1].append(item)
    return rows


@each_format
def test_a_format_is_recognised_by_its_content_and_every_row_is_understood(
    written: Any, name: str, write: Callable[[], tuple[bytes, list[Row]]]
) -> None:
    content, people = write()
    with open_export(written(content, "unnamed.txt")) as export:
        assert export.name == name.partition(" ")[0]
        found = by_row(export.rows)
    assert len(found) == len(people) == ROWS
    for items, person in zip(found, people, strict=True):
        contacts = [item for item in items if isinstance(item, Contact)]
        assert {c.email: c.email_type for c in contacts} == person.emails
        assert {c.profile for c in contacts} <= {person.profile}
        assert {(c.first_name, c.last_name) for c in contacts} <= {(person.first, person.last)}
        assert {c.company for c in contacts} <= {person.company}
        assert [item.reason for item in items if isinstance(item, Skipped)] == person.reasons


@each_format
def test_stored_and_skipped_rows_are_all_rows_that_were_read(
    written: Any, path: Path, name: str, write: Callable[[], tuple[bytes, list[Row]]]
) -> None:
    content, people = write()
    database = open_sqlite(path)
    report = import_contacts(database, read_export(written(content)), source=name)
    again = import_contacts(database, read_export(written(content)), source=name)
    database.close()
    kept = [person for person in people if person.emails]
    assert report == ImportReport(
        read=ROWS,
        stored=len(kept),
        addresses=sum(len(person.emails) for person in kept),
        new=sum(len(person.emails) for person in kept),
        skipped=Counter(person.reasons[0] for person in people if not person.emails),
        left_out=Counter(reason for person in kept for reason in person.reasons),
    )
    assert report.read == report.stored + report.skipped.total()
    assert again.new == 0


@pytest.mark.parametrize(
    ("title", "is_own"),
    [
        ("LinkedIn Profil-Link", True),
        ("Contact LinkedIn", True),
        ("linkedin_url_2__c", True),
        ("Sales Rep LinkedIn", False),
        ("Manager LinkedIn URL", False),
        ("Referred By (LinkedIn)", False),
    ],
)
def test_a_column_that_was_added_is_the_contacts_profile_unless_it_names_somebody_else(
    written: Any, title: str, is_own: bool
) -> None:
    url = "https://www.linkedin.com/in/ada-example"
    content = f"Record ID,First Name,Email,LinkedIn URL,{title}\n1,Ada,ada@example.com,,{url}\n"
    row = next(iter(read_export(written(content))))
    assert isinstance(row, Contact)
    assert row.profile == (url if is_own else None)


@pytest.mark.parametrize(
    "known",
    [
        "Record ID,LinkedIn,Email",
        "Contact ID,Last Name,LinkedIn,Email",
        "Person Linkedin Url,Email",
    ],
    ids=["hubspot", "salesforce", "apollo"],
)
def test_addresses_in_columns_that_were_added_or_stand_there_twice_are_read(
    written: Any, known: str
) -> None:
    before = "," * (known.count(",") - 1) + "linkedin.com/in/ada-example,,"
    content = f"{known},Work Email,Primary Email,Personal Email,Email\n{before}"
    content += "w@example.com,p@example.com,h@example.com,second@example.com\n"
    found = {
        row.email: row.email_type
        for row in read_export(written(content))
        if isinstance(row, Contact)
    }
    assert found["h@example.com"] is EmailType.PERSONAL
    assert set(found) == {f"{one}@example.com" for one in ("w", "p", "h", "second")}


def test_columns_may_be_separated_by_bars(written: Any) -> None:
    row = next(iter(read_export(written("Record ID|First Name|Email\n1|Ada|ada@example.com\n"))))
    assert isinstance(row, Contact)
    assert row.email == "ada@example.com"
