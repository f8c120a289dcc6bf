"""Balances and ledgers are shown; a grant asks once, happens once, and says what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.pages import credits as credits_page
from tests.console.visitor import form_of, older_page, text_of
from tests.support.keyed_client import create_key
from tests.support.running_service import ledger_is_exact

if TYPE_CHECKING:
    from tests.console.visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_balances_holds_and_the_ledger_are_shown(visitor: Visitor) -> None:
    await create_key(visitor.it, "acme", credits=7)
    request_id = await visitor.it.accepted()
    answer = await visitor.get("/credits?team=default")
    text = text_of(answer)
    assert "acme 7 0" in text
    assert "default 9 1 lookups that hold them" in text
    assert "hold 1 9 lookup" in text
    assert "grant 10 10 -" in text
    assert f"/console/lookups/{request_id}" in answer.text


async def test_a_grant_asks_once_happens_once_and_says_what_it_did(visitor: Visitor) -> None:
    asked = await visitor.post("/credits/change", team="default", amount="50", reason="")
    assert "Grant 50 credits to default?" in text_of(asked)
    assert await visitor.it.balance() == 10, "the question changes nothing"
    form = form_of(asked, "once")
    done = await visitor.send("/credits/change", form)
    assert "default now has 60 credits available." in text_of(done)
    again = await visitor.send("/credits/change", form, status=409)
    assert "This was sent before. It is not done twice." in text_of(again)
    assert await visitor.it.balance() == 60
    ledger_is_exact(visitor.it.place)


async def test_a_correction_has_a_reason_and_takes_credits_that_are_there(
    visitor: Visitor,
) -> None:
    done = await visitor.confirm(
        "/credits/change", team="default", amount="-4", reason="<i>twice</i>"
    )
    assert "default now has 6 credits available." in text_of(done)
    assert "correct -4 6 <i>twice</i>" in text_of(done)
    refused = await visitor.confirm(
        "/credits/change", team="default", amount="-400", reason="more", status=400
    )
    assert "fewer credits available than would be taken" in text_of(refused)
    assert await visitor.it.balance() == 6
    ledger_is_exact(visitor.it.place)


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.5", "1e3", "99999999", "\u0661", "<b>"])
async def test_a_wrong_amount_changes_nothing(visitor: Visitor, amount: str) -> None:
    refused = await visitor.post(
        "/credits/change", team="default", amount=amount, reason="", status=400
    )
    assert "The amount must be a whole number" in text_of(refused)
    assert await visitor.it.balance() == 10


async def test_an_unknown_team_gets_nothing(visitor: Visitor) -> None:
    refused = await visitor.confirm("/credits/change", team="<b>", amount="1", status=400)
    assert "There is no team" in text_of(refused)
    assert "<b>" not in refused.text


async def test_the_ledger_is_read_page_by_page(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credits_page, "PAGE", 2)
    for amount in ("1", "2", "3", "4"):
        await visitor.confirm("/credits/change", team="default", amount=amount)
    seen, html = [], (await visitor.get("/credits")).text
    while True:
        seen += [
            n for n in ("4", "3", "2", "1", "10") if f'>grant</td><td class="number">{n}<' in html
        ]
        if not (older := older_page(html)):
            break
        html = (await visitor.get(older)).text
    assert seen == ["4", "3", "2", "1", "10"]
