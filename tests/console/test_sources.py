"""The sources' hit rates, costs and pauses are shown, and a pause is ended from the page."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.console import Facts
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.lookup.circuit_breaker import Circuit
from mcp_enrichment.service.reports import source_figures
from tests.console.visitor import text_of, visited_console
from tests.support.databases import change
from tests.support.running_service import ADA, HIT, MISS, FixedSource

if TYPE_CHECKING:
    from tests.console.visitor import Visitor
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio


async def _lookups(visitor: Visitor, count: int) -> None:
    for number in range(count):
        await visitor.it.final(await visitor.it.accepted(linkedin_url=f"{ADA}-{number}"))


async def test_a_source_is_shown_with_its_hit_rate_and_what_an_address_costs(place: Place) -> None:
    facts = Facts(sources=("hunter",), prices={"hunter": Decimal("0.5")}, currency="EUR")
    source = FixedSource(HIT, MISS, name="hunter")
    async with visited_console(place, source, jobs=True, facts=facts) as visitor:
        await _lookups(visitor, 4)
        change(place, "UPDATE source_calls SET cost = 20 WHERE state = 'hit'")
        text = await visitor.read("/sources")
    assert "hunter ready 4 1 25.0% 20 10 " in text
    assert "Price of an address (EUR)" in text


async def test_only_the_newest_answers_count(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_figures, "NEWEST", 2)
    source = FixedSource(HIT, MISS, name="hunter")
    facts = Facts(sources=("hunter",))
    async with visited_console(place, source, jobs=True, facts=facts) as visitor:
        await _lookups(visitor, 4)
        assert "hunter ready 2 0 0.0%" in await visitor.read("/sources")


async def test_a_paused_source_is_resumed_after_a_question(visitor: Visitor) -> None:
    database, now = visitor.it.service.database, visitor.it.service.clock()
    paused = Circuit(source="hunter", failures=3, reason="unavailable", open_until=now + 600)
    await database.write(lambda c: circuit_breaker.put(c, paused))
    assert "hunter (not in use) paused until" in await visitor.read("/sources")
    asked = await visitor.post("/sources/resume", source="hunter")
    assert "End the pause of hunter?" in text_of(asked)
    assert await database.read(lambda c: circuit_breaker.get(c, "hunter")) == paused
    done = await visitor.confirm("/sources/resume", source="hunter")
    assert "The pause of hunter has ended" in text_of(done)
    assert await database.read(lambda c: circuit_breaker.get(c, "hunter")) is None
    assert "has ended" not in await visitor.read("/sources"), "it is said once"
    await visitor.post("/sources/resume", source="<b>none", status=404)


async def test_the_cheapest_order_says_what_it_lacks(place: Place) -> None:
    facts = Facts(sources=("hunter", "findymail"), prices={"hunter": Decimal(1)})
    sources = [FixedSource(MISS, name=name) for name in facts.sources]
    async with visited_console(place, *sources, jobs=True, facts=facts) as visitor:
        assert "There is nothing to put in order" in await visitor.read("/sources/order")
        await _lookups(visitor, 1)
        assert "has no price of findymail" in await visitor.read("/sources/order")


async def test_the_cheapest_order_is_worked_out_from_the_newest_answers(place: Place) -> None:
    prices = {"hunter": Decimal(1), "findymail": Decimal(1)}
    facts = Facts(sources=("hunter", "findymail"), prices=prices)
    sources = [FixedSource(MISS, name="hunter"), FixedSource(HIT, name="findymail")]
    async with visited_console(place, *sources, jobs=True, credits=50, facts=facts) as visitor:
        await _lookups(visitor, 1)
        assert "hunter has 1" in await visitor.read("/sources/order")
        await _lookups(visitor, 20)
        change(place, "UPDATE source_calls SET cost = 1")
        text = await visitor.read("/sources/order")
    assert "findymail, hunter . A lookup costs" in text
    assert "in place of" in text
