"""Teams are added, and keys made and revoked, from the page; a leaked key is shut out at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.http import CREDITS
from mcp_enrichment.service.accounts import api_keys
from tests.console.visitor import text_of
from tests.support.keyed_client import keyed_client

if TYPE_CHECKING:
    from tests.console.visitor import Visitor

pytestmark = pytest.mark.anyio


async def _new_key(visitor: Visitor, team: str) -> str:
    made = await visitor.confirm("/keys/create", team=team)
    found = re.search(r"mcpe_[0-9a-f_]+", made.text)
    assert found
    return found[0]


async def test_a_team_is_added_and_gets_a_key_that_is_shown_once(visitor: Visitor) -> None:
    done = await visitor.confirm("/teams/add", name="acme", credits="25")
    assert "Added the team acme with 25 credits." in text_of(done)
    key = await _new_key(visitor, "acme")
    assert key not in (await visitor.get("/teams")).text
    async with keyed_client(visitor.it, key) as http:
        assert (await http.get(CREDITS)).json() == {"balance": 25, "held": 0}


async def test_a_leaked_key_is_revoked_after_a_question(visitor: Visitor) -> None:
    await visitor.confirm("/teams/add", name="acme", credits="1")
    key = await _new_key(visitor, "acme")
    key_id = api_keys.key_id_of(key)
    asked = await visitor.post("/keys/revoke", key=key_id)
    assert f"Revoke the key {key_id}, for good?" in text_of(asked)
    async with keyed_client(visitor.it, key) as http:
        assert (await http.get(CREDITS)).status_code == 200
        done = await visitor.confirm("/keys/revoke", key=key_id)
        assert f"Revoked the key {key_id}." in text_of(done)
        assert (await http.get(CREDITS)).status_code == 401
    await visitor.confirm("/keys/revoke", key=key_id, status=404)


async def test_an_operators_key_is_made_and_revoked_here_too(visitor: Visitor) -> None:
    key = await _new_key(visitor, "(operator)")
    assert "(operator)" in await visitor.read("/teams")
    await visitor.post("/sign-in", key=key)
    done = await visitor.confirm("/keys/revoke", key=api_keys.key_id_of(key))
    assert str(done.url).endswith("/sign-in"), "the session was of this key"


@pytest.mark.parametrize(
    ("name", "credits", "says"),
    [
        ("default", "0", "There already is a team"),
        ("<script>", "0", "name cannot be used"),
        ("", "0", "name cannot be used"),
        ("(operator)", "0", "name cannot be used"),
        ("acme", "-1", "Credits must be a whole number"),
    ],
)
async def test_a_team_that_cannot_be_added_is_refused(
    visitor: Visitor,
    name: str,
    credits: str,  # noqa: A002
    says: str,
) -> None:
    status = 400 if credits == "-1" else 200
    answer = await visitor.post("/teams/add", name=name, credits=credits, status=status)
    if status == 200:
        assert "<script>" not in answer.text
        answer = await visitor.confirm("/teams/add", name=name, credits=credits, status=400)
    assert says in text_of(answer)
    assert visitor.it.rows("SELECT name FROM teams") == [("default",)]
