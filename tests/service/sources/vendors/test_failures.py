"""After a failure a vendor is called again only if it got no request, or repeats are free."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.factory import NAMES, create_vendor
from mcp_enrichment.service.sources.vendors import transport
from tests.service.sources.vendors.recorded import (
    CASES,
    KEY,
    PROFILE,
    ToFarEnd,
    as_recorded,
    vendor_at_scripted_server,
)
from tests.support.scripted_server import breaks_off, hangs, replies, resets, scripted_server

if TYPE_CHECKING:
    from tests.support.scripted_server import Behaviour

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("unhurried")]

AGAIN = {"unavailable": None}
NEVER = {"lost": "no-answer"}
FREE_TO_REPEAT = {"prospeo"}
COLLECTS = {"salesfinity", "fullenrich", "wiza", "bettercontact", "dropcontact"}


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_vendor_that_cannot_be_connected_to_has_charged_nothing(name: str) -> None:
    async with scripted_server() as end:
        port = end.port
    asked = create_vendor(name, KEY, transport=ToFarEnd(port))
    assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == AGAIN
    await asked.aclose()


@pytest.mark.parametrize("behaviour", [resets(), breaks_off(), breaks_off(b"")])
@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_question_without_an_answer_is_put_again_only_where_repeats_are_free(
    name: str, behaviour: Behaviour
) -> None:
    async with vendor_at_scripted_server(name) as (asked, end):
        end.will(behaviour)
        expected = AGAIN if name in FREE_TO_REPEAT else NEVER
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == expected
        assert asked.terms.idempotent_billing is (name in FREE_TO_REPEAT)


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_vendor_that_is_closed_for_now_did_nothing_and_one_that_broke_may_have_charged(
    name: str,
) -> None:
    async with vendor_at_scripted_server(name) as (asked, end):
        end.will(replies(503, b"", {"retry-after": "7"}))
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"unavailable": 7.0}
        for status in (500, 502, 504):
            end.will(replies(status, b"<html>"))
            outcome = as_recorded(await asked.find(PROFILE, EmailType.WORK))
            assert outcome == (AGAIN if name in FREE_TO_REPEAT else {"lost": "failed"})


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_question_that_is_refused_is_no_miss_and_no_failure_of_the_vendor(
    name: str,
) -> None:
    refused = {409, 410, 413, 414, 422}
    async with vendor_at_scripted_server(name) as (asked, end):
        for status in refused | ({400, 404} - asked.readable_statuses):
            end.will(replies(status, {"message": "?"}))
            assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"lost": "refused"}


@pytest.mark.parametrize("name", sorted(COLLECTS))
async def test_collecting_costs_nothing_and_may_be_tried_again(name: str) -> None:
    async with vendor_at_scripted_server(name) as (asked, end):
        for behaviour in (resets(), breaks_off(), replies(500), replies(503)):
            end.will(behaviour)
            assert as_recorded(await asked.collect("32", EmailType.WORK)) == AGAIN


@pytest.mark.parametrize("name", sorted(NAMES - COLLECTS - {"hunter"}))
async def test_a_vendor_that_answers_at_once_knows_no_ticket(name: str) -> None:
    async with vendor_at_scripted_server(name) as (asked, end):
        assert as_recorded(await asked.collect("32", EmailType.WORK)) == {"lost": "unreadable"}
        assert end.seen == []


async def test_a_proxy_that_cannot_be_used_is_a_setting_to_correct(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy.example")
    asked = create_vendor("hunter", KEY)
    outcome = await asked.find(PROFILE, EmailType.WORK)
    assert as_recorded(outcome) == {"misconfigured": "sources-misconfigured"}
    await asked.aclose()


async def test_a_vendor_that_says_nothing_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "RESPONSE_SECONDS", 0.05)
    async with vendor_at_scripted_server("apollo") as (asked, end):
        end.will(hangs())
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == NEVER


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with vendor_at_scripted_server("hunter") as (asked, end):
        end.will(replies(status, b"", {"location": "/v3/email-finder"}))
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"lost": "unreadable"}
        assert len(end.seen) == 1


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_neither_the_key_nor_what_a_vendor_says_is_ever_repeated(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="mcp_enrichment")
    caplog.set_level(logging.DEBUG, logger="httpx")
    caplog.set_level(logging.DEBUG, logger="httpcore")
    told: list[Any] = []
    async with vendor_at_scripted_server(name) as (asked, end):
        for status in (200, 400, 401, 500):
            end.always(replies(status, {"error": f"{KEY} ada.okafor@okafor.example"}))
            told.append(await asked.find(PROFILE, EmailType.WORK))
        told += [asked, vars(asked)]
    for text in (caplog.text, repr(told)):
        assert KEY not in text
        assert "okafor.example" not in text


def test_cases_hold_no_key_but_that_of_the_tests() -> None:
    keys = {value for case in CASES for value in case.question["headers"].values()}
    assert keys == {KEY, f"Bearer {KEY}", "basic"}
