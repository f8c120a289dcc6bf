"""The overview says what happened lately, what is under way, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.console import Facts
from mcp_enrichment.contract.errors import InternalError
from mcp_enrichment.doctor import ok, wrong
from mcp_enrichment.service.reports import finished as finished_report
from tests.console.visitor import Visitor, visited_console
from tests.support.running_service import ADA, HIT, MISS, FixedSource

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio


async def test_the_overview_counts_lookups_by_outcome_and_the_credits_they_cost(
    place: Place,
) -> None:
    source = FixedSource(HIT, HIT, MISS)
    facts = Facts(daily_budget=50)
    async with visited_console(place, source, jobs=True, facts=facts) as visitor:
        for number in range(3):
            request_id = await visitor.it.accepted(linkedin_url=f"{ADA}-{number}")
            await visitor.it.final(request_id)
        text = await visitor.read()
    assert "Found 2 Not found 1 Failed 0" in text
    assert "Credits spent today 2 of 50" in text
    assert "Credits left 8" in text
    assert "Lookups waiting 0 Callbacks waiting 0" in text


async def test_the_overview_shows_what_waits_for_what_and_for_how_long(visitor: Visitor) -> None:
    await visitor.it.accepted()
    text = await visitor.read()
    assert "Lookups in the queue: 1 for a worker." in text
    assert "Lookups waiting 1" in text
    assert "Oldest is overdue by" in text
    assert "No lookup ended in this period" in text


async def test_the_charts_have_the_same_figures_as_a_table(place: Place) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        await visitor.it.final(await visitor.it.accepted())
        html = (await visitor.get("?period=hour")).text
    assert '<rect class="completed"' in html
    assert html.count("<tr><th scope") >= finished_report.INTERVALS
    assert 'class="p95" points="460.0,0.0 480.0,0.0"' in html, "a single value is a line"
    assert 'aria-label="Lookups by outcome over the last hour: at most 1 in an interval"' in html


async def test_only_the_newest_lookups_of_a_period_are_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_report, "NEWEST", 2)
    async with visited_console(place, FixedSource(HIT, MISS), jobs=True) as visitor:
        for number in range(3):
            request_id = await visitor.it.accepted(linkedin_url=f"{ADA}-{number}")
            await visitor.it.final(request_id)
        text = await visitor.read()
    assert "Found 0 Not found 2" in text
    assert "There are more" in text


async def test_the_findings_of_the_doctor_are_shown_and_not_made_anew_for_each_page(
    place: Place,
) -> None:
    made = []

    def examine() -> list[object]:
        made.append(1)
        return [ok("python", "3.11"), wrong("data", "the disk is <b>full</b>")]

    async with visited_console(place, examine=examine) as visitor:
        assert "wrong data the disk is <b>full</b>" in await visitor.read()
        await visitor.read()
    assert made == [1]


async def test_a_defect_becomes_a_page_without_its_text(place: Place) -> None:
    def examine() -> list[object]:
        raise ValueError("ada@example.com")

    async with visited_console(place, is_local=True, examine=examine) as visitor:
        text = await visitor.read(status=500)
    assert "The console failed" in text
    assert "ada@" not in text


async def test_an_error_of_the_service_is_explained(place: Place) -> None:
    def examine() -> list[object]:
        raise InternalError

    async with visited_console(place, is_local=True, examine=examine) as visitor:
        assert InternalError.explanation.happened in await visitor.read(status=500)
