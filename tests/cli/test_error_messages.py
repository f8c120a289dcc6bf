"""An error in the terminal says what happened, what it cost and what a person can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.cli.commands import ADA
from tests.contract.test_explanation import TO_AN_ASSISTANT
from tests.support.scripted_server import replies, resets

if TYPE_CHECKING:
    from tests.cli.commands import Shell
    from tests.support.scripted_server import Behaviour, ScriptedServer

pytestmark = pytest.mark.anyio

NO = replies(404, b"no")
TROUBLE: dict[str, tuple[Behaviour, dict[str, str], list[str]]] = {
    "a wrong key": (replies(401, b"no"), {}, ["refused the API key", "Nothing was charged"]),
    "no credit": (replies(402, b"no"), {}, ["no free credit", "nothing charged", "Add credits"]),
    "an answer that is lost": (
        resets(),
        {},
        ["not known whether a lookup was started", "One credit may have been", "--refresh"],
    ),
    "another website": (NO, {}, ["outside its contract", "Check that ENRICHMENT_API_URL"]),
    "a full disk at the server": (
        replies(503, {"error": {"code": "storage_full", "message": "no"}}),
        {},
        ["disk", "nothing charged", "Free space"],
    ),
    "a budget that is spent": (
        NO,
        {"DAILY_BUDGET": "0"},
        ["ENRICHMENT_DAILY_BUDGET", "nothing charged", "Try again after midnight"],
    ),
}


@pytest.mark.parametrize("case", TROUBLE)
async def test_enrich_says_what_happened_what_it_cost_and_what_to_do(
    case: str, vendor: ScriptedServer, shell: Shell
) -> None:
    behaviour, settings, says = TROUBLE[case]
    vendor.always(behaviour)
    named = {"API_URL": vendor.url, "API_KEY": "a-key"} | settings
    done = await anyio.to_thread.run_sync(lambda: shell.run("enrich", ADA, **named))
    told = done.refused()
    assert [part for part in says if part not in told] == []
    assert not TO_AN_ASSISTANT.search(done.err)


def test_a_url_that_is_no_profile_is_refused_in_words_for_a_person(shell: Shell) -> None:
    told = shell.run("enrich", "https://www.linkedin.com/company/acme").refused()
    assert "Nothing was sent and nothing charged. Correct it" in told
    assert not TO_AN_ASSISTANT.search(told)


def test_a_lookup_without_an_address_ends_with_words_for_a_person(shell: Shell) -> None:
    done = shell.run("enrich", ADA)
    assert "run `mcp-enrichment contacts import FILE`" in done.err
    assert not TO_AN_ASSISTANT.search(done.err)
