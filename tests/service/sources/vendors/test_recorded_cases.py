"""Requests to each vendor are exactly as recorded, and its answers get the right meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.factory import NAMES, create_vendor
from tests.service.sources.vendors.recorded import (
    CASES,
    KEY,
    PROFILE,
    Case,
    as_recorded,
    vendor_at_scripted_server,
)
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio

SAYS_THE_KIND = {"salesfinity", "wiza", "dropcontact"}
ASKED_OF_ALL = {"found", "miss", "no credits", "rate limit", "wrong key", "changed shape"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_recorded_answer_means_what_it_should_and_the_question_is_exact(case: Case) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        end.will(case.answer)
        assert as_recorded(await case.put_to(asked)) == case.says
    [seen] = end.seen
    _check_request(seen, case)


def _check_request(seen: ReceivedRequest, case: Case) -> None:
    expected, path = urlsplit(case.question["url"]), urlsplit(seen.path)
    assert seen.method == case.question["method"]
    assert (seen.headers["host"], path.path) == (expected.hostname, expected.path)
    assert parse_qsl(path.query) == parse_qsl(expected.query)
    ours = {"host", "accept", "accept-encoding", "connection", "user-agent"}
    about_body = {"content-length", "content-type"}
    told = {k: v for k, v in seen.headers.items() if k not in ours | about_body}
    assert told == case.question["headers"]
    assert seen.headers["accept"] == "application/json"
    assert (seen.json if seen.body else None) == case.question.get("json")


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_only_what_a_vendor_says_of_the_very_address_is_its_word_for_the_kind(
    name: str,
) -> None:
    [found] = [case for case in CASES if case.vendor == name and case.name == "found"]
    async with vendor_at_scripted_server(name) as (asked, end):
        end.will(found.answer)
        hit = await found.put_to(asked)
    assert hit.email_type == (EmailType.WORK if name in SAYS_THE_KIND else None)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_vendor_has_the_cases_that_all_must_have(name: str) -> None:
    cases = [case for case in CASES if case.vendor == name]
    assert {case.name for case in cases} >= ASKED_OF_ALL
    assert {case.email_type for case in cases if case.ask == case.email_type} == create_vendor(
        name, KEY
    ).email_types


async def test_a_name_of_another_script_is_asked_for_as_it_is_written() -> None:
    async with vendor_at_scripted_server("hunter") as (asked, end):
        end.always(replies(202, {}))
        working = await asked.find("https://www.linkedin.com/in/zo%C3%AB", EmailType.WORK)
        assert as_recorded(working) == {"working": "zoë", "after": 5.0}
        await asked.collect("zoë", EmailType.WORK)
    assert [seen.path for seen in end.seen] == ["/v2/email-finder?linkedin_handle=zo%C3%AB"] * 2


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_vendor_says_its_name_its_price_and_its_pace(name: str) -> None:
    asked = create_vendor(name, KEY)
    assert asked.name == name
    assert asked.url.startswith("https://")
    assert asked.terms.hit == max(asked.prices.values()) > 0
    assert asked.terms.limit.per_second or asked.terms.limit.at_once


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_key_that_no_header_can_carry_is_refused_without_a_request(name: str) -> None:
    async with vendor_at_scripted_server(name, key="sk test\n") as (asked, end):
        outcome = await asked.find(PROFILE, EmailType.WORK)
        assert as_recorded(outcome) == {"misconfigured": "sources-misconfigured"}
        assert end.seen == []
