"""Rows of any table are read as they are, each with the profile of its own person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.service.sources.exports.formats import InvalidColumnMap
from mcp_enrichment.service.sources.exports.raw_rows import (
    CARD_TITLES,
    RawPerson,
    open_rows,
    parse_profile_column,
)
from mcp_enrichment.service.sources.exports.records import InvalidExport, SkipReason
from tests.support.exporters import address_books, customers
from tests.support.exports import EXPORT, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.exporters.people import Row

ADA = "https://www.linkedin.com/in/ada-example"
ADAS_CELL = "linkedin.com/in/ada-example/"
COMPANYS = "https://www.linkedin.com/company/harbour-example"
OWNERS = "https://www.linkedin.com/in/owner-example"
MEMBER = "https://www.linkedin.com/in/ACwAAAexampleExampleExample"
LEAD = "https://www.linkedin.com/sales/lead/ACwAAAexample,NAME_SEARCH,abcd"
PROGRAMS = {
    "apollo without a status": (
        "First Name,Last Name,Title,Company Name,Person Linkedin Url,Website,Company Linkedin Url,"
        "Email",
        {
            "Person Linkedin Url": ADAS_CELL,
            "Company Linkedin Url": COMPANYS,
            "Email": "a@b.example",
        },
    ),
    "clay": (
        "full_name,job_title,company_name,company_domain,work_email,linkedin_profile",
        {"linkedin_profile": ADAS_CELL, "work_email": "a@b.example"},
    ),
    "phantombuster": (
        "profileUrl,fullName,companyUrl,summary,title,defaultProfileUrl,timestamp",
        {"profileUrl": LEAD, "companyUrl": COMPANYS, "defaultProfileUrl": ADAS_CELL},
    ),
    "evaboot": (
        "First Name,Email,Linkedin URL Unique ID,Linkedin URL Public,Company Linkedin URL",
        {"Linkedin URL Unique ID": MEMBER, "Linkedin URL Public": ADAS_CELL},
    ),
    "a sheet of one's own": (
        "Name,Company LinkedIn,Contact Owner LinkedIn,LinkedIn,Website",
        {"Company LinkedIn": COMPANYS, "Contact Owner LinkedIn": OWNERS, "LinkedIn": ADAS_CELL},
    ),
    "a column of account names": ("Name,LinkedIn handle", {"LinkedIn handle": "@ada-example"}),
    "a title that means a URL": ("Name,Link,Notes", {"Link": ADAS_CELL, "Notes": "of linkedin"}),
}
FORMATS = [
    *(customers.linkedin, customers.hubspot, customers.salesforce, customers.apollo),
    *(address_books.google, address_books.outlook, address_books.vcard_3, address_books.vcard_4),
]


def read(path: Path, column: str | None = None) -> tuple[list[str], list[RawPerson]]:
    with open_rows(path, column=parse_profile_column(column) if column else None) as table:
        return list(table.titles), list(table.rows)


def refusal(path: Path, column: str | None = None) -> str:
    with pytest.raises(InvalidExport) as refused:
        read(path, column)
    return str(refused.value)


@pytest.mark.parametrize(("header", "cells"), PROGRAMS.values(), ids=PROGRAMS)
def test_the_profile_is_the_persons_own_not_the_companys_or_the_owners(
    written: Any, header: str, cells: dict[str, str]
) -> None:
    titles = header.split(",")
    line = [f'"{cells.get(title, "")}"' for title in titles]
    found, [person] = read(written(f"{header}\n{','.join(line)}\n"))
    assert found == titles
    assert person == RawPerson([cells.get(title, "") for title in titles], ADA, None)


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
def test_every_person_of_an_export_that_can_be_imported_has_the_same_profile_here(
    written: Any, write: Callable[[], tuple[bytes, list[Row]]]
) -> None:
    content, people = write()
    wanted = [row.profile for row in people if SkipReason.EMPTY_ROW not in row.reasons]
    found = [person.profile for person in read(written(content, "unnamed.txt"))[1]]
    assert len(found) == len(wanted)
    assert wanted == [
        one if expected else None for one, expected in zip(found, wanted, strict=True)
    ]


def test_urls_alone_are_a_list_even_if_the_first_is_of_a_company(written: Any) -> None:
    titles, people = read(written(f"\n{COMPANYS}\n{ADAS_CELL}\nnobody\n"))
    assert titles == ["linkedin_url"]
    assert [person.profile for person in people] == [None, ADA, None]
    assert [person.lack for person in people] == ["not-a-person", None, "bad-url"]


def test_excels_line_for_the_separator_is_no_header(written: Any) -> None:
    titles, [person] = read(written(f"sep=;\r\nName;LinkedIn\r\nAda;{ADAS_CELL}\r\n"))
    assert titles == ["Name", "LinkedIn"]
    assert person == RawPerson(["Ada", ADAS_CELL], ADA, None)


def test_a_table_without_titles_gets_some(written: Any) -> None:
    titles, [person] = read(written(f"Ada;{ADAS_CELL};Harbour\n"))
    assert titles == ["column_1", "linkedin_url", "column_3"]
    assert person == RawPerson(["Ada", ADAS_CELL, "Harbour"], ADA, None)


def test_only_the_column_that_is_named_counts(written: Any) -> None:
    path = written(f"Who;Recruiter's LinkedIn;Page\nAda;{OWNERS};{ADAS_CELL}\nBo;{OWNERS};\n")
    _, people = read(path, "url= page ")
    assert [person.profile for person in people] == [ADA, None]
    assert people[1].lack is SkipReason.NO_URL


def test_a_table_without_profiles_is_refused_with_its_titles_and_what_to_do(written: Any) -> None:
    path = written("Name,Company LinkedIn,Mail\nAda,x,y\n", "people.csv")
    named = "only Name, Company LinkedIn, Mail: name it with --map url=COLUMN."
    assert refusal(path) == f"people.csv has no column of profiles, {named}"
    assert refusal(path, "url=Web") == f"people.csv has no column with that title, {named}"


def test_hundreds_of_columns_are_not_all_told(written: Any) -> None:
    told = refusal(written(",".join(f"{n}-{'x' * 100}\x1b" for n in range(500))))
    assert len(told) < 1000
    assert told.isprintable()
    assert "…: name it" in told


def test_an_export_without_its_profiles_is_refused(written: Any) -> None:
    path = written(EXPORT.replace(",URL,", ",").encode())
    assert "only First Name, Last Name, Email Address, Company" in refusal(path)


def test_an_empty_file_and_blank_lines_are_refused(written: Any) -> None:
    assert "is empty" in refusal(written(""))
    assert "has no rows" in refusal(written("\n \n"))


@pytest.mark.parametrize("text", ["url", "url=", "email=Mail", "Mail"])
def test_a_map_that_names_no_column_of_profiles_is_refused(text: str) -> None:
    with pytest.raises(InvalidColumnMap, match="url=COLUMN"):
        parse_profile_column(text)


def test_cells_stay_as_they_are(written: Any) -> None:
    cells = [" Ada ", '=1+1 "quoted"\nand more', ADAS_CELL, "+1 555 0100", "extra"]
    line = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    content = f"Name,Note,LinkedIn,Phone\n{line}\n,,,\nBo\n"
    for encoded in (content.encode("utf-16"), content.encode("utf-8-sig"), content.encode()):
        titles, people = read(written(encoded))
        assert titles == ["Name", "Note", "LinkedIn", "Phone"]
        assert [person.cells for person in people] == [cells, ["Bo"]]


def test_a_long_row_is_one_row(written: Any) -> None:
    long = ["x" * 30_000] * 4
    row = ",".join([*long, ADAS_CELL])
    _, people = read(written(f"A,B,C,D,LinkedIn\n{row}\n,,,,{ADAS_CELL}"))
    assert [person.cells for person in people] == [[*long, ADAS_CELL], [*[""] * 4, ADAS_CELL]]


def test_a_row_that_cannot_be_read_is_in_its_place_with_its_text(written: Any) -> None:
    _, people = read(written(f'Name,LinkedIn\n"Ada,{ADAS_CELL}\nBo,{ADAS_CELL}\n'))
    assert [person.profile for person in people] == [None, ADA]
    assert people[0] == RawPerson([f'"Ada,{ADAS_CELL}'], None, SkipReason.UNREADABLE)


def test_cards_become_a_table(written: Any) -> None:
    card = (
        "BEGIN:VCARD\nVERSION:3.0\nN:Okafor;Ada;;;\nFN:Ada Okafor\nORG:Harbour\n"
        f"URL:https://{ADAS_CELL}\nEND:VCARD\nBEGIN:VCARD\nFN:Bo\nEND:VCARD\n"
    )
    titles, people = read(written(card))
    assert titles == list(CARD_TITLES)
    assert people[0] == RawPerson(("Ada", "Okafor", "Ada Okafor", "Harbour", "", ADA), ADA, None)
    assert people[1].lack is SkipReason.NO_URL


def test_the_table_in_a_zip_is_read(written: Any) -> None:
    path = written(zipped({"people.csv": f"LinkedIn\n{ADAS_CELL}\n"}), "export.zip")
    assert [person.profile for person in read(path)[1]] == [ADA]
