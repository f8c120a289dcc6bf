"""The cells of any table are understood, in any encoding and with any delimiter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.cells import moment_of, split_name
from mcp_enrichment.service.sources.exports.email_address import (
    clean_email,
    email_type_of_label,
    is_masked,
)
from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact, Skipped, SkipReason
from tests.support.exporters.address_books import google
from tests.support.exports import rows

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "https://www.linkedin.com/in/ada-example"
HUBSPOT = "Record ID,First Name,Last Name,Email,LinkedIn URL,Website URL,Last Modified Date\n"
GERMAN_OUTLOOK = (
    '"Anrede";"Vorname";"Nachname";"Firma";"Position";"E-Mail-Adresse";"E-Mail 2: Adresse";'
    '"Webseite"\r\n'
    f'"Frau";"Änne";"Weiß";"Harbour";"Chefin";"ae@harbour.example";"";"{PROFILE}"\r\n'
)
OLD_GOOGLE = (
    "Name,Given Name,Family Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value,"
    "Organization 1 - Name,Website 1 - Type,Website 1 - Value\n"
    f"Ada Okafor,Ada,Okafor,* myContacts,Home,ada@home.example,Harbour,Profile,{PROFILE}\n"
)
SALESFORCE_REPORT = (
    '"First Name","Last Name","Title","Account Name","Email","LinkedIn"\n'
    f'"Ada","Okafor","CTO","Harbour","ada@harbour.example","{PROFILE}"\n'
    '"Confidential Information - Do Not Distribute"\n'
)


def hubspot(**cells: str) -> str:
    known = {"Record ID": "1", "First Name": "Ada", "Last Name": "Okafor", "LinkedIn URL": PROFILE}
    row = known | {title.replace("_", " "): cell for title, cell in cells.items()}
    titles = HUBSPOT.strip().split(",")
    quoted = ('"' + row.get(title, "").replace('"', '""') + '"' for title in titles)
    return HUBSPOT + ",".join(quoted) + "\n"


def contacts(path: Path) -> list[Contact]:
    return [row for row in rows(path) if isinstance(row, Contact)]


def name_of(path: Path) -> str:
    with open_export(path) as export:
        return export.name


def test_outlook_in_german_is_read(written: Any) -> None:
    path = written(GERMAN_OUTLOOK.encode("cp1252"))
    [contact] = contacts(path)
    assert name_of(path) == "outlook"
    assert (contact.first_name, contact.last_name, contact.position) == ("Änne", "Weiß", "Chefin")
    assert contact.profile == PROFILE


def test_google_contacts_of_before_2024_are_read(written: Any) -> None:
    path = written(OLD_GOOGLE)
    [contact] = contacts(path)
    assert name_of(path) == "google-contacts"
    assert (contact.email_type, contact.company) == (EmailType.PERSONAL, "Harbour")


def test_a_report_of_salesforce_is_read_and_its_last_line_is_no_contact(written: Any) -> None:
    path = written(SALESFORCE_REPORT)
    contact, end = rows(path)
    assert name_of(path) == "salesforce"
    assert isinstance(contact, Contact)
    assert end == Skipped(reason=SkipReason.NO_EMAIL, line=3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_whole_export_is_the_same_in_any_encoding_and_with_any_delimiter(
    written: Any, encoding: str, delimiter: str
) -> None:
    from tests.support.exports import resaved

    text = google()[0].decode()
    saved = resaved(text, delimiter)
    content = (
        b"\xfe\xff" + saved.encode("utf-16-be")
        if encoding.endswith("bom")
        else saved.encode(encoding)
    )
    assert _emails(written(content)) == _emails(written(text)) != []


def _emails(path: Path) -> list[str]:
    return [contact.email for contact in contacts(path)]


@pytest.mark.parametrize(
    "cell",
    [
        "ada@harbour.example; a.okafor@harbour.example",
        "ada@harbour.example,a.okafor@harbour.example",
        "ada@harbour.example\na.okafor@harbour.example",
        "ada@harbour.example ::: a.okafor@harbour.example",
        "ada@harbour.example|a.okafor@harbour.example|ada@harbour.example",
        '"Okafor, Ada" <ada@harbour.example>, Ada <mailto:a.okafor@harbour.example>',
    ],
)
def test_several_addresses_in_a_cell_are_all_understood(written: Any, cell: str) -> None:
    assert _emails(written(hubspot(Email=cell))) == [
        "ada@harbour.example",
        "a.okafor@harbour.example",
    ]


def test_one_wrong_address_among_others_is_reported_and_costs_itself_alone(written: Any) -> None:
    contact, wrong = rows(written(hubspot(Email="ada@harbour.example; ada@harbour")))
    assert isinstance(contact, Contact)
    assert wrong == Skipped(reason=SkipReason.BAD_EMAIL, line=2, is_part=True)


@pytest.mark.parametrize(
    "cell",
    [
        f"{PROFILE}; https://www.linkedin.com/company/harbour",
        f"https://www.linkedin.com/company/harbour {PROFILE}",
        f'=HYPERLINK("{PROFILE}","Ada")',
        "linkedin.com/in/Ada-Example/?trk=x",
    ],
)
def test_the_persons_url_is_found_whatever_stands_beside_it(written: Any, cell: str) -> None:
    text = hubspot(Email="ada@freemail.example", LinkedIn_URL=cell)
    assert [contact.profile for contact in contacts(written(text))] == [PROFILE]


def test_another_site_in_a_column_of_sites_is_no_wrong_profile(written: Any) -> None:
    text = hubspot(Email="a@b.example", LinkedIn_URL="", Website_URL="https://b.example")
    _, lack = rows(written(text))
    assert lack == Skipped(reason=SkipReason.NO_URL, line=2, is_part=True)


def test_the_date_of_a_row_is_when_it_was_seen_to_be_so(written: Any) -> None:
    dated = hubspot(Email="a@b.example", Last_Modified_Date="2026-03-05 10:20")
    [contact] = contacts(written(dated))
    assert contact.seen_at == datetime(2026, 3, 5, 10, 20, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-05T10:20:00Z",
        "2026-03-05T10:20:00.000+00:00",
        "20260305T102000Z",
        "2026-03-05 10:20",
        "2026-03-05T11:20:00+01:00",
    ],
)
def test_a_moment_is_read_in_each_form_that_programs_write(text: str) -> None:
    assert moment_of(text) == datetime(2026, 3, 5, 10, 20, tzinfo=UTC).timestamp()


def test_a_day_is_its_first_moment_and_nonsense_is_none() -> None:
    for day in ("3/5/2026", "3/5/2026 10:20 AM", "05.03.2026 10:20"):
        assert moment_of(day) == datetime(2026, 3, 5, tzinfo=UTC).timestamp()
    for nonsense in ("yesterday", "0001-01-01T00:00:00+14:00", "1899-12-30"):
        assert moment_of(nonsense) is None


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada Okafor", "Ada", "Okafor"),
        ("Okafor, Ada", "Ada", "Okafor"),
        ("Dr. Ada Okafor, PhD", "Ada", "Okafor"),
        ("Prof. Dr. Ada M. Okafor", "Ada M.", "Okafor"),
        ("Jan van der Berg", "Jan", "van der Berg"),
        ("Ludwig von Weiß Jr.", "Ludwig", "von Weiß"),
        ("Ada", "Ada", ""),
        ("", "", ""),
        ("陳美", "陳美", ""),
    ],
)
def test_one_name_is_two(name: str, first: str, last: str) -> None:
    assert split_name(name) == (first, last)


@pytest.mark.parametrize("label", ["Work", "* Work", "_$!<Work>!$_", "WORK", "Geschäftlich"])
def test_a_label_says_work(label: str) -> None:
    assert email_type_of_label(label) is EmailType.WORK


@pytest.mark.parametrize("label", ["", "*", "Other", "Homework", "internet"])
def test_a_label_may_say_nothing(label: str) -> None:
    assert email_type_of_label(label) is None


@pytest.mark.parametrize("email", ["email_not_unlocked@domain.com", "a***@harbour.example"])
def test_a_mask_is_no_address(email: str) -> None:
    assert is_masked(email)


@given(st.text("aB9.-+_ü", min_size=1, max_size=4), st.sampled_from(["", "x" * 62]), st.data())
def test_an_address_is_read_alike_with_nothing_and_with_space_around(
    local: str, more: str, data: st.DataObject
) -> None:
    domain = data.draw(st.text("aB9.-ü", min_size=1, max_size=6))
    email = f"{local}{more}@{domain}.example"
    assert clean_email(email) == clean_email(f" {email}")
