from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.email_address import (
    SAMPLE_FREE_MAIL,
    clean_email,
    email_type_of,
)


@pytest.mark.parametrize(
    "domain",
    [
        *("gmail.com", "GMX.de", "icloud.com", "qq.com", "vip.qq.com", SAMPLE_FREE_MAIL),
        *("sfr.fr", "tutanota.com", "docomo.ne.jp", "privaterelay.appleid.com"),
    ],
)
def test_an_address_at_a_free_mail_provider_is_personal(domain: str) -> None:
    assert email_type_of(f"someone@{domain}") is EmailType.PERSONAL


@pytest.mark.parametrize("domain", ["example.com", "corp.mail.ru", "notgmail.com", "acme.za.com"])
def test_an_address_anywhere_else_is_work(domain: str) -> None:
    assert email_type_of(f"someone@{domain}") is EmailType.WORK


@pytest.mark.parametrize(
    "written",
    [
        "ada@example.com",
        "  ada@example.com\t",
        "ada@EXAMPLE.com",
        "<ada@example.com>",
        "mailto:ada@example.com",
        "MAILTO:ada@example.com",
        "<mailto:ada@example.com>",
        "mailto:<ada@example.com>",
    ],
)
def test_an_address_is_freed_of_what_programs_put_around_it(written: str) -> None:
    assert clean_email(written) == "ada@example.com"


@pytest.mark.parametrize(
    "address",
    [
        "Ada.Okafor+li@example.com",
        "o'keeffe_1@example.co.uk",
        "иван@почта.example",
        "priya@उदाहरण.example",
        "a@xn--bcher-kva.example",
        "l" * 64 + "@example.com",
    ],
)
def test_an_address_stays_as_written_before_the_at_sign(address: str) -> None:
    assert clean_email(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@@example.com",
        "ada@one@example.com",
        "ada @example.com",
        "ada@exa mple.com",
        "ada@example..com",
        "ada@.example.com",
        "ada@example.com.",
        "ada@-example.com",
        "ada@example-.com",
        "ada@exa_mple.com",
        "ada@192.0.2.1",
        "ada@[192.0.2.1]",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "ada,eve@example.com",
        "ada@example.com; eve@example.com",
        "Ada <ada@example.com>",
        "ada\n@example.com",
        "ada\x00@example.com",
        "ada\u202e@example.com",
        "ada\ud800@example.com",
        "l" * 65 + "@example.com",
        "ß" * 33 + "@example.com",
        "ada@" + "d" * 64 + ".com",
        "ada@" + "label." * 42 + "com",
    ],
)
def test_a_text_that_is_no_address_is_cleaned_to_none(text: str) -> None:
    assert clean_email(text) is None


@given(st.text() | st.emails() | st.from_regex(r"<?(mailto:)?.*@.*\..*>?"))
def test_cleaning_any_text_a_second_time_changes_nothing(text: str) -> None:
    cleaned = clean_email(text)
    assert cleaned is None or clean_email(cleaned) == cleaned


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    assert email_type_of(text) in EmailType
