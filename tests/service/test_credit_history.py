"""A team's credit history explains each balance, and no entry is changed or removed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mcp_enrichment
from mcp_enrichment.contract.http import HISTORY
from mcp_enrichment.service.billing import ledger
from tests.cli.commands import Shell
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import must_be
from tests.support.running_service import (
    ADA,
    HIT,
    MISS,
    FixedSource,
    RunningService,
    running_service,
)

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
EFFECT = {"grant": 1, "correct": 1, "hold": -1, "settle": 0, "release": 1}
"""The effect of one credit of an entry on the available credits."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


async def _used(it: RunningService) -> str:
    """The key of a team that has had a hit, a miss, a grant and a correction."""
    key = await create_key(it, "lumen", credits=3)
    async with keyed_client(it, key) as http:
        for number in range(2):
            asked = {"linkedin_url": f"{ADA}-{number}", "type": "work"}
            posted = await http.post("/v1/api/enrichment/email", json=asked)
            where = f"/v1/api/enrichment/email/{posted.json()['_id']}"
            await http.get(where, headers={"prefer": "wait=60"})
    team_id = it.rows("SELECT id FROM teams WHERE name = 'lumen'")[0][0]
    write = it.service.database.write
    await write(lambda c: ledger.grant(c, team_id, 10, at=5))
    await write(lambda c: ledger.correct(c, team_id, -4, at=6, reason="granted twice"))
    return key


async def test_the_history_explains_each_balance_from_the_first_entry_on(place: Place) -> None:
    async with (
        running_service(place, FixedSource(HIT, MISS)) as it,
        keyed_client(it, await _used(it)) as http,
    ):
        entries = (await http.get(HISTORY)).json()["entries"]
        balance = (await http.get("/v1/api/enrichment/credits")).json()["balance"]
    oldest_first = entries[::-1]
    kinds = [(entry["kind"], entry["amount"]) for entry in oldest_first]
    assert kinds == [
        *(("grant", 3), ("hold", 1), ("settle", 1), ("hold", 1), ("release", 1)),
        *(("grant", 10), ("correct", -4)),
    ]
    available = 0
    for entry in oldest_first:
        available += EFFECT[entry["kind"]] * entry["amount"]
        assert entry["available_after"] == available
    assert available == balance == 8
    assert [entry["reason"] for entry in entries if entry["reason"]] == ["granted twice"]
    assert oldest_first[1]["request_id"] == oldest_first[2]["request_id"]


async def test_pages_of_the_history_join_without_a_gap(place: Place) -> None:
    async with (
        running_service(place, FixedSource(HIT, MISS)) as it,
        keyed_client(it, await _used(it)) as http,
    ):
        whole = (await http.get(HISTORY)).json()["entries"]
        paged: list[dict[str, Any]] = []
        before: dict[str, Any] = {}
        while page := (await http.get(HISTORY, params={"limit": 2} | before)).json()["entries"]:
            assert len(page) <= 2
            paged += page
            before = {"before": page[-1]["id"]}
    assert paged == whole
    assert [entry["id"] for entry in paged] == sorted((e["id"] for e in whole), reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=101", "limit=ten", "limit=", "limit=1.0", "limit=%2B1"),
        *("limit=1&limit=2", "limit=%D9%A1", "before=0", "before=x", "before=" + "9" * 16),
    ],
)
async def test_a_page_that_cannot_be_is_a_400(place: Place, query: str) -> None:
    async with (
        running_service(place, jobs=False) as it,
        keyed_client(it, await create_key(it, "lumen")) as http,
    ):
        answer = await http.get(f"{HISTORY}?{query}")
    assert answer.status_code == 400
    must_be("Error", answer.json())
    assert "whole number from 1" in answer.json()["error"]["message"]


async def test_a_402_says_what_there_is_what_it_takes_and_how_to_get_more(place: Place) -> None:
    asked = {"linkedin_url": ADA, "type": "work"}
    async with running_service(place, jobs=False) as it:
        key = await create_key(it, "lumen", credits=0)
        async with keyed_client(it, key) as http:
            answer = await http.post("/v1/api/enrichment/email", json=asked)
    assert answer.status_code == 402
    must_be("Error", answer.json())
    body = answer.json()
    assert set(body) == {"error", "balance", "required", "how_to_get_more"}
    assert (body["balance"], body["required"]) == (0, 1)
    assert body["error"]["code"] == "insufficient_credits"
    assert "credits grant" in body["how_to_get_more"]


def test_no_statement_of_the_program_changes_or_removes_an_entry() -> None:
    files = Path(next(iter(mcp_enrichment.__path__))).rglob("*.py")
    statements = "\n".join(file.read_text("utf-8") for file in files)
    assert "insert(ledger)" in statements
    assert not re.search(r"(update|delete)\(\s*ledger|(UPDATE|DELETE FROM) ledger", statements)


def test_grants_and_corrections_show_in_the_history_with_their_reasons(shell: Shell) -> None:
    shell.run("teams", "add", "lumen", "--credits", "5")
    assert shell.run("credits", "grant", "10", "--team", "lumen").out == "15\n"
    correct = ["credits", "correct", "--team", "lumen", "--reason"]
    assert shell.run(*correct, "granted twice", "--", "-12").out == "3\n"
    assert shell.run(*correct, "too much", "2").out == "5\n"
    assert shell.run("teams", "list").out == "lumen\t5 available\t0 held\n"
    lines = shell.run("credits", "history", "--team", "lumen").out.splitlines()
    assert [line.split("\t")[1:] for line in lines] == [
        ["correct 2", "5 available", "too much"],
        ["correct -12", "3 available", "granted twice"],
        ["grant 10", "15 available", ""],
        ["grant 5", "5 available", ""],
    ]
    newest = shell.run("credits", "history", "--team", "lumen", "--limit", "1").out
    assert newest.splitlines() == lines[:1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["correct", "--reason", "oops", "--", "-6"], 1, "fewer credits available"),
        (["correct", "--reason", "oops", "0"], 1, "other than 0"),
        (["correct", "--reason", "  ", "1"], 1, "reason"),
        (["correct", "--reason", "x" * 201, "1"], 1, "1 to 200"),
        (["correct", "1"], 2, "--reason"),
        (["grant", "0"], 2, "0 is not in the range"),
        (["grant", "--", "-5"], 2, "-5 is not in the range"),
    ],
)
def test_a_movement_that_may_not_be_moves_nothing(
    shell: Shell, arguments: list[str], code: int, told: str
) -> None:
    shell.run("teams", "add", "lumen", "--credits", "5")
    command, *rest = arguments
    said = shell.run("credits", command, "--team", "lumen", *rest).refused(code)
    assert told in said
    assert shell.run("teams", "list").out == "lumen\t5 available\t0 held\n"
    assert shell.one("SELECT count(*) FROM ledger") == 1
