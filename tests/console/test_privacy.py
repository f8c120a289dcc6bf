"""A person is suppressed, erased and exported from the page, as at the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.console.visitor import Visitor, form_of, text_of, visited_console
from tests.support.running_service import ADA, ADAS, HIT, FixedSource, ledger_is_exact

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
SUPPRESSED = "SELECT count(*) FROM suppressions"


async def test_a_person_is_suppressed_and_lifted_after_a_question(visitor: Visitor) -> None:
    asked = await visitor.post("/privacy/change", action="suppress", person=f" {ADA}/ ")
    assert "Never look up this profile again" in text_of(asked)
    assert visitor.it.rows(SUPPRESSED) == [(0,)]
    for says in ("Suppressed.", "It was suppressed already."):
        done = await visitor.confirm("/privacy/change", action="suppress", person=ADA)
        assert says in text_of(done)
    assert visitor.it.rows(SUPPRESSED) == [(1,)]
    assert "operator suppress" in text_of(done)
    for says in ("Lifted.", "It was not suppressed."):
        done = await visitor.confirm("/privacy/change", action="lift", person=ADA)
        assert says in text_of(done)
    assert visitor.it.rows(SUPPRESSED) == [(0,)]


async def test_a_person_is_erased_with_what_this_machine_remembers(place: Place) -> None:
    forgotten: list[frozenset[str]] = []

    async def forget(profiles: frozenset[str]) -> int:
        forgotten.append(profiles)
        return 3

    async with visited_console(place, FixedSource(HIT), jobs=True, forget=forget) as visitor:
        request_id = await visitor.it.accepted()
        await visitor.it.final(request_id)
        done = await visitor.confirm("/privacy/change", action="erase", person=ADAS)
        assert "1 requests, 1 source calls, and 3 remembered questions" in text_of(done)
        assert forgotten == [frozenset({ADA})]
        page = await visitor.get(f"/lookups/{request_id}")
        assert "ada" not in page.text
        assert "erased" in page.text
        assert "(removed)" in await visitor.read("/lookups")
        ledger_is_exact(place)


async def test_what_is_stored_about_a_person_is_downloaded(place: Place) -> None:
    async with visited_console(place, FixedSource(HIT), jobs=True) as visitor:
        await visitor.it.final(await visitor.it.accepted())
        answer = await visitor.confirm("/privacy/change", action="export", person=ADA)
        assert "attachment" in answer.headers["content-disposition"]
        exported = json.loads(answer.text)
        assert exported["addresses"] == [ADAS]
        assert exported["requests"][0]["created_at"].endswith("Z")
        assert "operator export" in await visitor.read("/privacy")


async def test_what_names_nobody_is_refused(visitor: Visitor) -> None:
    for person in ("", "<b>", "https://www.linkedin.com/company/acme"):
        refused = await visitor.post("/privacy/change", action="erase", person=person, status=400)
        assert "An email address is understood too." in text_of(refused)
    token = form_of(await visitor.get("/privacy"), "person")["token"]
    fields = {"token": token, "action": "delete", "person": ADA}
    await visitor.send("/privacy/change", fields, status=400)
    assert visitor.it.rows("SELECT * FROM audit_log") == []
