"""The properties of a card decide its main address and its profile."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import Contact, Skipped, SkipReason
from tests.support.exports import HEADER, rows

PROFILE = "https://www.linkedin.com/in/ada-example"


def emails(written: Any, *lines: str) -> list[str]:
    return [contact.email.partition("@")[0] for contact in contacts(written, *lines)]


def contacts(written: Any, *lines: str) -> list[Contact]:
    found = rows(written(card(*lines)))
    return [row for row in found if isinstance(row, Contact)]


def card(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VCARD", "VERSION:4.0", f"URL:{PROFILE}", *lines, "END:VCARD", ""))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("EMAIL;PREF=50:b@x.example", "EMAIL;PREF=2:a@x.example"),
        ("EMAIL;PREF=100:b@x.example", "EMAIL;PREF=99:a@x.example"),
        ("EMAIL:b@x.example", "EMAIL;PREF=100:a@x.example"),
        ("EMAIL;PREF=2:b@x.example", "EMAIL;TYPE=PREF:a@x.example"),
        ("EMAIL;INTERNET:b@x.example", "EMAIL;PREF;INTERNET:a@x.example"),
        ("EMAIL;TYPE=HOME:b@x.example", "EMAIL;TYPE=HOME,pref:a@x.example"),
        ('EMAIL;PREF="7":b@x.example', 'EMAIL;PREF="1":a@x.example'),
        ("EMAIL;INDEX=1:b@x.example", "EMAIL;PREF=3:a@x.example"),
        (
            "EMAIL;X-EVOLUTION-UI-SLOT=1:b@x.example",
            "EMAIL;X-EVOLUTION-UI-SLOT=2;PREF=9:a@x.example",
        ),
        ("EMAIL;X-NOTE=pref:b@x.example", "EMAIL;PREF=9:a@x.example"),
        ("EMAIL;PREF=0:b@x.example", "EMAIL;PREF=9:a@x.example"),
        ("EMAIL;PREF=101:b@x.example", "EMAIL;PREF=9:a@x.example"),
    ],
)
def test_the_most_preferred_address_is_the_main_one(written: Any, first: str, second: str) -> None:
    assert emails(written, first, second) == ["a", "b"]


@pytest.mark.parametrize("parameter", ["INDEX=1", "X-EVOLUTION-UI-SLOT=1", "PREF=yes", "PREF=0"])
def test_without_a_preference_the_order_of_the_card_counts(written: Any, parameter: str) -> None:
    assert emails(written, "EMAIL:a@x.example", f"EMAIL;{parameter}:b@x.example") == ["a", "b"]


def test_only_a_type_says_what_an_address_is_for(written: Any) -> None:
    [contact] = contacts(written, "EMAIL;X-SYNC-SOURCE=home;TYPE=INTERNET:a@x.example")
    assert contact.email_type is EmailType.WORK


SLUGS = [
    "X-SOCIALPROFILE;type=linkedin:ada-example",
    "X-SOCIALPROFILE;TYPE=LinkedIn:@ada-example",
    "X-SOCIALPROFILE;type=linkedin;x-user=ada-example:x-apple:ada-example",
    "X-SOCIALPROFILE;type=linkedin;x-user=ada-example:x-apple:",
    'X-SOCIALPROFILE;type=linkedin;x-user="ada-example":',
    "item1.X-SOCIALPROFILE;x-user=ada-example:x-apple:ada-example\r\nitem1.X-ABLabel:LinkedIn",
    "X-LINKEDIN:ada-example",
    "X-LINKEDIN-URL:linkedin.com/in/ada-example",
    "X-LINKEDIN:in/ada-example",
    "IMPP;X-SERVICE-TYPE=LinkedIn:https://linkedin.com/in/ada-example",
    "SOCIALPROFILE;SERVICE-TYPE=LinkedIn;USERNAME=ada-example:https://www.linkedin.com/in/ada-example",
    "URL;TYPE=linkedin:<https://www.linkedin.com/in/ada-example|Ada>",
    "URL:http\\://www.linkedin.com/in/ada-example",
    "URL:https://www.linkedin.cn/in/ada-example",
]


@pytest.mark.parametrize("line", SLUGS)
def test_a_name_alone_is_a_profile_where_the_property_names_linkedin(
    written: Any, line: str
) -> None:
    text = card("EMAIL:a@x.example", line).replace(f"URL:{PROFILE}\r\n", "", 1)
    [contact] = rows(written(text))
    assert isinstance(contact, Contact)
    assert contact.profile == PROFILE


@pytest.mark.parametrize(
    "line",
    [
        "X-SOCIALPROFILE;type=twitter:ada-example",
        "X-SOCIALPROFILE;type=linkedin:none",
        "X-SOCIALPROFILE;type=linkedin:Ada Example",
        "X-SOCIALPROFILE;type=linkedin;x-user=acme:https://www.linkedin.com/company/acme",
        "X-SOCIALPROFILE;type=linkedin:harbour.example",
        "X-MANAGER-LINKEDIN:bob-example",
        "URL:ada-example",
    ],
)
def test_a_name_alone_is_nobodys_profile_where_it_may_be_another_name(
    written: Any, line: str
) -> None:
    text = card("EMAIL:a@x.example", line).replace(f"URL:{PROFILE}\r\n", "", 1)
    assert [row.profile for row in rows(written(text)) if isinstance(row, Contact)] == [None]


@pytest.mark.parametrize(
    "cell",
    [
        "<https://www.linkedin.com/in/ada-example|Ada Okafor>",
        "<https://www.linkedin.com/in/ada-example>",
        "http\\://www.linkedin.com/in/ada-example",
        "Profile: <https://www.linkedin.com/in/ada-example|linkedin.com/in/ada-example>",
    ],
)
def test_a_cell_holds_a_profile_as_chats_and_google_write_it(written: Any, cell: str) -> None:
    row = f"Ada,Okafor,{cell},ada@work.example,Harbour,,\n"
    [contact] = rows(written(HEADER + row))
    assert isinstance(contact, Contact)
    assert contact.profile == PROFILE


def test_a_name_that_stands_for_nobody_joins_no_two_rows(written: Any) -> None:
    header = "Record ID,Email,LinkedIn Handle\n"
    found = rows(
        written(f"{header}1,a@x.example,none\n2,b@x.example,None\n3,c@x.example,ada-example\n")
    )
    profiles = [row.profile for row in found if isinstance(row, Contact)]
    assert profiles == [None, None, PROFILE]
    lacks = [row.reason for row in found if isinstance(row, Skipped)]
    assert lacks == [SkipReason.NO_URL, SkipReason.NO_URL]
