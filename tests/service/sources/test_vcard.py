"""vCards are read, well-formed or not."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import (
    Contact,
    InvalidExport,
    Skipped,
    SkipReason,
)
from tests.support.exports import read_export, rows, zipped

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "https://www.linkedin.com/in/ada-example"


def card(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""))


def one(path: Path) -> Contact:
    [contact] = rows(path)
    assert isinstance(contact, Contact)
    return contact


@pytest.mark.parametrize(
    "line",
    [
        f"X-SOCIALPROFILE;type=linkedin;x-user=ada:{PROFILE}",
        f"X-SOCIALPROFILE;TYPE=LinkedIn:{PROFILE}",
        f"URL;TYPE=linkedin:{PROFILE}",
        f"URL:{PROFILE}",
        f"item3.URL;type=pref:{PROFILE}\r\nitem3.X-ABLabel:LinkedIn",
        f"SOCIALPROFILE;SERVICE-TYPE=LinkedIn;PREF=1:{PROFILE}",
        f'socialprofile;service-type="LinkedIn":{PROFILE}',
        f"URL:https://harbour.example\r\nURL:{PROFILE}",
        f"URL:{PROFILE[:30]}\r\n {PROFILE[30:]}",
        f"URL:{PROFILE[:30]}\r\n\t{PROFILE[30:]}",
        "URL:https\\://www.linkedin.com/in/ada-example",
    ],
)
def test_the_profile_is_found_wherever_a_card_has_it(written: Any, line: str) -> None:
    assert one(written(card("EMAIL:ada@b.example", line))).profile == PROFILE


@pytest.mark.parametrize(
    ("line", "email_type"),
    [
        ("EMAIL;TYPE=WORK:ada@freemail.example", EmailType.WORK),
        ("EMAIL;TYPE=INTERNET,WORK:ada@freemail.example", EmailType.WORK),
        ("EMAIL;TYPE=INTERNET;TYPE=HOME:ada@b.example", EmailType.PERSONAL),
        ("EMAIL;HOME:ada@b.example", EmailType.PERSONAL),
        ("item1.EMAIL:ada@b.example\r\nitem1.X-ABLabel:_$!<Home>!$_", EmailType.PERSONAL),
        ("EMAIL;TYPE=INTERNET:ada@freemail.example", EmailType.PERSONAL),
        ("EMAIL:ada@b.example", EmailType.WORK),
    ],
)
def test_the_kind_is_what_the_card_says_or_else_the_domain(
    written: Any, line: str, email_type: EmailType
) -> None:
    assert one(written(card(line, f"URL:{PROFILE}"))).email_type is email_type


def test_a_preferred_address_is_the_main_one(written: Any) -> None:
    text = card("EMAIL:a@b.example", "EMAIL;PREF=1:z@b.example", f"URL:{PROFILE}")
    found = [row for row in rows(written(text)) if isinstance(row, Contact)]
    assert [(contact.email, contact.rank) for contact in found] == [
        ("z@b.example", 0),
        ("a@b.example", 1),
    ]


def test_names_are_decoded_and_unescaped(written: Any) -> None:
    old = card(
        "N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Wei=DF;=\r\n=C4nne",
        r"ORG:Harbour\, Inc.\; Sons;Sales",
        "EMAIL:ae@b.example",
        f"URL:{PROFILE}",
    )
    contact = one(written(old))
    assert (contact.first_name, contact.last_name) == ("Änne", "Weiß")
    assert contact.company == "Harbour, Inc.; Sons"


def test_a_card_with_one_name_only_has_it_split(written: Any) -> None:
    contact = one(written(card("FN:Dr. Ada van Okafor", "EMAIL:ada@b.example", f"URL:{PROFILE}")))
    assert (contact.first_name, contact.last_name) == ("Ada", "van Okafor")


@pytest.mark.parametrize("end", ["", "BEGIN:VCARD\r\nEMAIL:b@b.example\r\n"])
def test_a_card_without_an_end_is_reported_and_the_others_are_read(written: Any, end: str) -> None:
    whole = card("EMAIL:ada@b.example", f"URL:{PROFILE}")
    found = rows(written(f"BEGIN:VCARD\r\nEMAIL:a@b.example\r\n{whole}{end}"))
    assert found[0] == Skipped(reason=SkipReason.UNREADABLE, line=1)
    assert isinstance(found[1], Contact)
    assert found[2:] == [Skipped(reason=SkipReason.UNREADABLE, line=8)][: bool(end)]


def test_cards_in_a_zip_are_read(written: Any) -> None:
    text = card("EMAIL:ada@b.example", f"URL:{PROFILE}")
    assert one(written(zipped({"Takeout/Contacts/All Contacts.vcf": text}))).profile == PROFILE


def test_a_card_of_any_length_takes_no_more_memory_than_another(written: Any) -> None:
    photo = "PHOTO;ENCODING=b:" + f"\r\n {'A' * 74}" * 200_000
    path = written(card("EMAIL:ada@b.example", *["TITLE:y"] * 200_000, photo))
    tracemalloc.start()
    found = rows(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [Skipped(reason=SkipReason.UNREADABLE, line=1)]
    assert peak < 5 * 2**20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    middle=st.text('AEMIL:;=\\,\r\n \t"@bx.=0D-é') | st.binary().map(lambda b: b.decode("latin"))
)
def test_any_card_ends_in_rows(tmp_path: Path, middle: str) -> None:
    path = tmp_path / "any.vcf"
    path.write_text(f"BEGIN:VCARD\n{middle}\nEMAIL:ada@b.example\nEND:VCARD\n", "utf-8")
    with suppress(InvalidExport):
        assert all(isinstance(row, Contact | Skipped) for row in read_export(path))
