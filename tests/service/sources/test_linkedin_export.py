"""A LinkedIn export is read in all its variants, and each row that is no contact is reported."""

from __future__ import annotations

from collections import Counter
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import Contact, Skipped, SkipReason
from tests.support.exports import ADA, ADA_READ, EXPORT, HEADER, NOTES, read_export, resaved, rows

if TYPE_CHECKING:
    from pathlib import Path

# The file in the package


def test_the_sample_file_holds_eight_contacts_among_forty_people() -> None:
    with as_file(files("mcp_enrichment") / "data" / "Connections.csv") as path:
        read_rows = rows(path)
    kinds = Counter(row.email_type if isinstance(row, Contact) else row.reason for row in read_rows)
    assert kinds == {
        EmailType.WORK: 5,
        EmailType.PERSONAL: 3,
        SkipReason.NO_EMAIL: 32,
        SkipReason.EMPTY_ROW: 1,
    }


def test_the_sample_file_has_ada_at_work_and_jonas_at_home() -> None:
    with as_file(files("mcp_enrichment") / "data" / "Connections.csv") as path:
        ada, jonas, *_ = rows(path)
    assert isinstance(ada, Contact)
    assert isinstance(jonas, Contact)
    assert ada.profile == "https://www.linkedin.com/in/ada-okafor-example"
    assert (ada.email_type, ada.company) == (EmailType.WORK, "Lumen Harbour, Inc.")
    assert (jonas.email_type, jonas.last_name) == (EmailType.PERSONAL, "Weiß")


def test_the_sample_file_can_belong_to_nobody() -> None:
    with as_file(files("mcp_enrichment") / "data" / "Connections.csv") as path:
        found = [row for row in rows(path) if isinstance(row, Contact)]
    assert all(row.profile.endswith("-example") for row in found)
    assert all(row.email.endswith((".example", "@example.com", "@example.org")) for row in found)


# Text around the rows, encodings, and separators


@pytest.mark.parametrize(
    "preamble",
    ["", NOTES, '"Notes:"\r\n\r\n', "sep=,\r\n" + NOTES, "\r\n" * 5, NOTES * 40],
    ids=["none", "as downloaded", "quoted", "of Excel", "blank", "long"],
)
def test_the_table_is_found_below_notes_of_any_length(written: Any, preamble: str) -> None:
    assert rows(written(preamble + HEADER + ADA)) == [ADA_READ]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_any_line_ends_are_read(written: Any, end: str) -> None:
    assert rows(written(EXPORT.replace("\r\n", end))) == [ADA_READ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_saved_again_by_excel_is_read(written: Any, delimiter: str) -> None:
    assert rows(written(resaved(EXPORT, delimiter))) == [ADA_READ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_accents_survive_whatever_encoding_the_file_has(written: Any, encoding: str) -> None:
    (row,) = rows(written(EXPORT.replace("Okafor,", "Weiß-Lefèvre,").encode(encoding)))
    assert isinstance(row, Contact)
    assert row.last_name == "Weiß-Lefèvre"


def test_big_endian_utf_16_is_read(written: Any) -> None:
    assert rows(written("\ufeff".encode("utf-16-be") + EXPORT.encode("utf-16-be"))) == [ADA_READ]


def test_one_stray_byte_late_in_the_file_spoils_no_other_letter(written: Any) -> None:
    content = (EXPORT + ADA.replace("Ada", "Þóra")).encode() + b"Ren\xe9,,,,,,\r\n"
    _, thora, rene = rows(written(content))
    assert isinstance(thora, Contact)
    assert thora.first_name == "Þóra"
    assert rene == Skipped(reason=SkipReason.NO_EMAIL, line=7)


def test_nul_bytes_are_left_out(written: Any) -> None:
    assert rows(written(EXPORT.replace("Ada", "A\0da\0"))) == [ADA_READ]


# The header


def test_a_german_header_is_read(written: Any) -> None:
    german = "Vorname,Nachname,URL,E-Mail-Adresse,Unternehmen,Position,Verbunden am\r\n"
    assert rows(written(NOTES + german + ADA)) == [ADA_READ]


def test_columns_may_stand_in_any_order_and_case(written: Any) -> None:
    text = (
        " CONNECTED ON ,email address,Url,Tags,POSITION,company,last  name,First\u00a0Name\n"
        "05 Mar 2024,ada@example.com,https://www.linkedin.com/in/ada-okafor-example,x,"
        'Head of Partnerships,"Lumen Harbour, Inc.",Okafor,Ada\n'
    )
    assert rows(written(text)) == [ADA_READ]


def test_an_old_export_without_urls_says_so_for_each_row(written: Any) -> None:
    old = "First Name,Last Name,Email Address,Company,Position,Connected On\n"
    text = old + "Ada,Okafor,ada@example.com,,,\nJonas,Weiß,jonas@freemail.example,,,\n"
    ada, no_profile, jonas = rows(written(text))
    assert isinstance(ada, Contact)
    assert (ada.profile, ada.email) == (None, "ada@example.com")
    assert no_profile == Skipped(reason=SkipReason.NO_URL, line=2, is_part=True)
    assert jonas == Skipped(reason=SkipReason.NO_URL, line=3)


def test_an_export_without_connections_is_read_as_empty(written: Any) -> None:
    assert rows(written(NOTES + HEADER)) == []


# Rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",,,,,,", SkipReason.EMPTY_ROW),
        (" , ,\t,,,,", SkipReason.EMPTY_ROW),
        ("", SkipReason.EMPTY_ROW),
        ("Ada", SkipReason.NO_EMAIL),
        ("Ada,Okafor,,ada@freemail.example,,,", SkipReason.NO_URL),
        ("Ada,Okafor,https://www.linkedin.com/in/ada-example", SkipReason.NO_EMAIL),
        ("Ada,,https://www.linkedin.com/company/acme,a@freemail.example", SkipReason.NOT_A_PERSON),
        ("Ada,,linkedin.com/sales/lead/A1,a@freemail.example", SkipReason.SALES_NAVIGATOR),
        ("Ada,,linkedin.com/talent/profile/A1,a@freemail.example", SkipReason.SALES_NAVIGATOR),
        ("Ada,Okafor,ada-okafor,ada@freemail.example,,,", SkipReason.BAD_URL),
        ("Ada,Okafor,https://www.linkedin.com/in/ada-example,n/a,,,", SkipReason.BAD_EMAIL),
    ],
)
def test_a_row_without_a_contact_has_a_reason_and_a_line(
    written: Any, row: str, reason: SkipReason
) -> None:
    skipped = Skipped(reason=reason, line=5)
    assert rows(written(NOTES + HEADER + row + "\r\n" + ADA)) == [skipped, ADA_READ]


def test_a_row_with_too_many_or_too_few_cells_is_read_as_far_as_it_goes(written: Any) -> None:
    short, long = rows(written(HEADER + ADA.rsplit(",", 1)[0] + "\n" + ADA.strip() + ",x,y\n"))
    assert isinstance(short, Contact)
    assert short.connected_on is None
    assert long == ADA_READ


def test_quoted_line_breaks_become_spaces_and_lines_stay_counted(written: Any) -> None:
    first, second = rows(
        written(
            HEADER + ADA.replace("Head of Partnerships", '"Head\r\nof Partnerships"') + "Jonas\r\n"
        )
    )
    assert first == ADA_READ
    assert second == Skipped(reason=SkipReason.NO_EMAIL, line=4)


def test_a_profile_is_given_in_its_one_canonical_form(written: Any) -> None:
    (row,) = rows(written(EXPORT.replace("www.linkedin.com/in/ada", "DE.linkedin.com/in/Ada")))
    assert row == ADA_READ


@pytest.mark.parametrize(
    "day",
    [
        "05 Mar 2024",
        "5 March 2024",
        "05-Mar-24",
        "03/05/2024",
        "3/5/24, 4:05 PM",
        "05.03.2024",
        "05. Mär 2024",
        "5. März 2024",
        "05 Mrz 24",
        "2024-03-05",
    ],
)
def test_a_date_is_read_in_each_form_that_linkedin_or_excel_writes(written: Any, day: str) -> None:
    assert rows(written(EXPORT.replace("05 Mar 2024", f'"{day}"'))) == [ADA_READ]


@pytest.mark.parametrize("day", ["05 марта 2024", "05 xyz 2024", "31 Feb 2024", "13/13/2024", "?"])
def test_a_date_that_cannot_be_read_costs_the_date_alone(written: Any, day: str) -> None:
    (row,) = rows(written(EXPORT.replace("05 Mar 2024", day)))
    assert isinstance(row, Contact)
    assert row.connected_on is None


def test_a_quotation_mark_never_closed_costs_a_row_that_says_so(written: Any) -> None:
    path = written(HEADER + ADA + '"Jonas,Weiß\r\n' + "Sam,Halvorsen,,,,,\r\n" * 20_000)
    first, broken, *rest = rows(path)
    assert (first, broken) == (ADA_READ, Skipped(reason=SkipReason.UNREADABLE, line=3))
    assert len(rest) == 20_000


def test_a_line_of_a_million_characters_is_no_contact_and_the_next_row_is_read(
    written: Any,
) -> None:
    *broken, last = rows(written(HEADER + "x" * 1_000_000 + "\r\n" + ADA))
    assert last == ADA_READ
    assert all(isinstance(row, Skipped) for row in broken)


def test_a_row_printed_by_mistake_shows_neither_name_nor_address() -> None:
    assert not any(text in repr(ADA_READ).lower() for text in ("ada", "okafor", "example.com"))


def test_progress_is_reported_up_to_the_end(written: Any) -> None:
    path = written(EXPORT + "Sam,Halvorsen,,,,,\r\n" * 20_000)
    told: list[tuple[int, int]] = []
    for _ in read_export(path, progress=lambda done, total: told.append((done, total))):
        pass
    size = path.stat().st_size
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == (size, size)
    assert {total for _, total in told} == {size}


def test_reading_may_stop_at_any_row_and_leaves_the_file_alone(written: Any) -> None:
    path = written(EXPORT * 3)
    for _ in read_export(path):
        break
    path.unlink()


def test_a_quotation_mark_that_nothing_closes_costs_its_own_row_alone(tmp_path: Path) -> None:
    file = tmp_path / "Connections.csv"
    plain = "Pat,Example,https://www.linkedin.com/in/pat-example,pat@example.com,Ex,Boss,\r\n"
    file.write_bytes((HEADER + f'"{plain}' + plain * 100).encode())
    first, *rest = rows(file)
    assert first == Skipped(reason=SkipReason.UNREADABLE, line=2)
    assert len([row for row in rest if isinstance(row, Contact)]) == 100


def test_a_note_of_many_lines_is_a_cell_and_none_of_its_lines_a_row(written: Any) -> None:
    planted = "Eve,Liar,https://www.linkedin.com/in/victim-example,eve@evil.example,,,\r\n"
    note = ADA.replace('"Lumen Harbour, Inc."', f'"He wrote ""hi"":\r\n{planted * 1000}"')
    ada, last = rows(written(HEADER + note + ADA))
    assert isinstance(ada, Contact)
    assert (ada.email, last) == (ADA_READ.email, ADA_READ)


def test_two_stray_quotation_marks_cost_what_they_spoil_and_no_row_between(written: Any) -> None:
    broken = ADA.replace("Ada,", '"Ada,')
    found = rows(written(HEADER + broken + ADA * 20 + broken + ADA))
    assert [row for row in found if isinstance(row, Contact)] == [ADA_READ] * 21
    assert sum(isinstance(row, Skipped) for row in found) == 2


def test_a_name_cannot_move_the_cursor_or_turn_the_text_of_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "Connections.csv"
    hostile = ADA.replace("Ada,Okafor", "\x1b[31mAda,\u202eOka\x07for")
    file.write_bytes((HEADER + hostile).encode())
    [contact] = rows(file)
    assert isinstance(contact, Contact)
    assert (contact.first_name, contact.last_name) == ("[31mAda", "Okafor")
