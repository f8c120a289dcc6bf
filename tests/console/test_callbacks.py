"""Each attempt of a callback is shown, and failed callbacks are delivered again from the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.reports import attempt_log
from tests.console.visitor import older_page, text_of, visited_console
from tests.support.running_service import ADA, HIT, FixedSource, until
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from tests.console.visitor import Visitor
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
ATTEMPTS = "SELECT count(*) FROM callback_attempts WHERE finished_at IS NOT NULL"
AT_ONCE = (0.0, 0.0, 0.0)


async def _delivered(visitor: Visitor, url: str, *, lookups: int, attempts: int) -> None:
    for number in range(lookups):
        await visitor.it.accepted(linkedin_url=f"{ADA}-{number}", callback_url=f"{url}?secret=1")
    await until(lambda: visitor.it.rows(ATTEMPTS) == [(attempts,)])


async def test_failed_callbacks_are_seen_and_delivered_again_after_a_question(
    place: Place,
) -> None:
    async with (
        scripted_server() as receiver,
        visited_console(
            place, FixedSource(HIT), jobs=True, allow_private=True, delivery_delays=AT_ONCE
        ) as visitor,
    ):
        receiver.always(replies(500))
        await _delivered(visitor, receiver.url, lookups=2, attempts=6)
        html = (await visitor.get("/callbacks?failed=1")).text
        assert html.count("http-error (500)") == 6
        assert "secret=1" not in html
        ids = html.partition('name="ids" value="')[2].partition('"')[0]
        assert len(ids.split(",")) == 2
        receiver.always(replies(204))
        asked = await visitor.post("/callbacks/retry", ids=ids)
        assert "Deliver 2 callbacks again?" in text_of(asked)
        assert visitor.it.rows(ATTEMPTS) == [(6,)], "the question delivers nothing"
        done = await visitor.confirm("/callbacks/retry", ids=ids)
        assert "2 of 2 callbacks will be delivered" in text_of(done)
        await until(lambda: visitor.it.rows(ATTEMPTS) == [(8,)])
        text = await visitor.read("/callbacks")
        assert text.count("1 of round 2 delivered (204)") == 2
        assert "of this page again" not in text, "none of them has failed any more"


async def test_attempts_are_read_page_by_page_also_those_of_one_moment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_log, "PAGE", 2)
    async with (
        scripted_server() as receiver,
        visited_console(
            place,
            FixedSource(HIT),
            jobs=True,
            allow_private=True,
            clock=lambda: 1_000_000.0,
        ) as visitor,
    ):
        receiver.always(replies(204))
        await _delivered(visitor, receiver.url, lookups=5, attempts=5)
        links, html = [], (await visitor.get("/callbacks")).text
        while True:
            links += [part.partition('"')[0] for part in html.split("/console/lookups/")[1:]]
            if not (older := older_page(html)):
                break
            html = (await visitor.get(older)).text
    assert len(links) == len(set(links)) == 5


async def test_what_is_no_callback_is_refused(visitor: Visitor) -> None:
    for wrong in ("", "<b>", "a,b"):
        await visitor.post("/callbacks/retry", ids=wrong, status=400)
    done = await visitor.confirm("/callbacks/retry", ids="f" * 24)
    assert "0 of 1 callback" in text_of(done)
    for wrong in ("nonsense", f"..~{'0' * 24}~1~1"):
        assert "None." in await visitor.read(f"/callbacks?before={wrong}")
