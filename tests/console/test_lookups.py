"""Lookups are listed, filtered and searched; one is followed to its end; addresses are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.reports import lookup_list
from tests.console.visitor import Visitor, form_of, older_page, text_of, visited_console
from tests.support.keyed_client import create_key, keyed_client
from tests.support.running_service import ADA, ADAS, HIT, MISS, FixedSource, until
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
EVIL = '<img src=x onerror="alert(1)">{{7*7}}</td>'


async def _ended(visitor: Visitor, profile: str = ADA, **body: str) -> str:
    request_id = await visitor.it.accepted(linkedin_url=profile, **body)
    await visitor.it.final(request_id)
    return request_id


async def test_lookups_are_listed_newest_first_and_page_by_page(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_list, "PAGE", 2)
    for number in range(5):
        await visitor.it.accepted(linkedin_url=f"{ADA}-{number}")
    seen, path = [], "/lookups"
    while path:
        html = (await visitor.get(path)).text
        seen += [number for number in "43210" if f">in/ada-okafor-example-{number}<" in html]
        path = older_page(html)
    assert seen == list("43210")


async def test_a_filter_reads_a_bounded_part_of_the_list_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_list, "SCANNED", 4)
    async with visited_console(place, FixedSource(HIT, MISS), jobs=True) as visitor:
        for number in range(6):
            await _ended(visitor, f"{ADA}-{number}")
        found = (await visitor.get("/lookups?status=not-found")).text
        assert ">in/ada-okafor-example-5<" in found
        first = await visitor.get("/lookups?status=completed")
        assert "there are older ones" in first.text
        seen, older = first.text, older_page(first.text)
        while older:
            html = (await visitor.get(older)).text
            seen, older = seen + html, older_page(html)
        assert ">in/ada-okafor-example-0<" in seen
        assert ">in/ada-okafor-example-5<" not in seen


async def test_lookups_of_one_team_are_listed_alone(visitor: Visitor) -> None:
    await visitor.it.accepted(linkedin_url=f"{ADA}-ours")
    async with keyed_client(visitor.it, await create_key(visitor.it, "acme")) as http:
        asked = {"linkedin_url": f"{ADA}-theirs", "type": "work"}
        assert (await http.post("/v1/api/enrichment/email", json=asked)).status_code == 201
    html = (await visitor.get("/lookups?team=acme")).text
    assert ">in/ada-okafor-example-theirs<" in html
    assert ">in/ada-okafor-example-ours<" not in html


async def test_a_profile_is_found_in_any_spelling_and_while_it_runs(place: Place) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        await _ended(visitor)
        await _ended(visitor, type="personal")
        answer = await visitor.post("/lookups/search", q="linkedin.com/in/Ada-Okafor-Example/")
        assert answer.text.count("completed") >= 2
        assert "ada-okafor" not in str(answer.url)
        wrong = await visitor.post("/lookups/search", q="ada@example.com", status=400)
        assert "A request&#39;s id is understood too" in wrong.text
    async with visited_console(place) as visitor:
        await visitor.it.accepted()
        answer = await visitor.post("/lookups/search", q=ADA)
        assert "pending" in answer.text


async def test_a_request_is_found_by_its_id(visitor: Visitor) -> None:
    request_id = await visitor.it.accepted()
    answer = await visitor.post("/lookups/search", q=request_id)
    assert str(answer.url).endswith(request_id)
    await visitor.read(f"/lookups/{'f' * 24}", status=404)
    await visitor.read("/lookups/ä", status=404)


async def test_a_lookup_is_followed_from_the_request_to_its_callback(place: Place) -> None:
    sources = FixedSource(MISS, name="first"), FixedSource(HIT, name="second")
    async with (
        scripted_server() as receiver,
        visited_console(place, *sources, jobs=True, allow_private=True) as visitor,
    ):
        receiver.always(replies(204))
        request_id = await _ended(visitor, callback_url=receiver.url)
        finished = "SELECT count(*) FROM callback_attempts WHERE finished_at IS NOT NULL"
        await until(lambda: visitor.it.rows(finished) == [(1,)])
        text = await visitor.read(f"/lookups/{request_id}")
    parts = ("requested", "credit held", "first: miss", "second: hit", "completed in")
    places = [text.rindex(part) for part in parts]
    assert places == sorted(places)
    assert "credit spent" in text
    assert "callback: delivered" in text
    assert "attempt 1, HTTP 204, to 127.0.0.1" in text


async def test_an_address_is_masked_until_a_click_that_the_audit_log_records(
    place: Place,
) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        request_id = await _ended(visitor)
        masked = await visitor.get(f"/lookups/{request_id}")
        assert ADAS not in masked.text
        assert "a***@example.com" in masked.text
        assert ADAS not in (await visitor.get("/lookups")).text
        audit = "SELECT action, pseudonym FROM audit_log"
        assert visitor.it.rows(audit) == []
        await visitor.send(f"/lookups/{request_id}/reveal", {}, status=403)
        assert visitor.it.rows(audit) == []
        shown = await visitor.post(f"/lookups/{request_id}/reveal")
        assert ADAS in shown.text
        pseudonym = visitor.it.service.database.pseudonyms.of_profile(ADA)
        assert visitor.it.rows(audit) == [("reveal", pseudonym)]


async def test_the_address_of_a_suppressed_person_is_not_shown_at_all(place: Place) -> None:
    from mcp_enrichment.service.privacy import suppression

    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        request_id = await _ended(visitor)
        database = visitor.it.service.database
        hashes = {database.pseudonyms.of_profile(ADA): suppression.SubjectKind.PROFILE}
        await database.write(lambda c: suppression.add(c, hashes, at=1))
        assert "example.com" not in await visitor.read(f"/lookups/{request_id}")
        shown = await visitor.post(f"/lookups/{request_id}/reveal")
        assert "example.com" not in text_of(shown)
        assert visitor.it.rows("SELECT * FROM audit_log") == []


async def test_html_of_a_stranger_is_shown_as_text(place: Place) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        request_id = await _ended(visitor, external_id=EVIL)
        answer = await visitor.get(f"/lookups/{request_id}")
        assert EVIL not in answer.text
        assert EVIL in text_of(answer)
        for path in (f"/lookups?status={EVIL}&source={EVIL}&team={EVIL}", f"?period={EVIL}"):
            assert "<img" not in (await visitor.get(path)).text
        token = form_of(await visitor.get("/lookups"), "q")["token"]
        wrong = await visitor.send("/lookups/search", {"token": token, "q": EVIL}, status=400)
        assert "<img" not in wrong.text
